//! How quinn is tuned, and why.
//!
//! * Cubic stays: quinn's BBR lost nearly half of its packets under random loss.
//! * Segmentation offload stays on (its default): without it a byte costs three times the CPU.
//! * quinn's own limits invite abuse: an unlimited connection window, 100 streams each way (with an
//!   entry made for each), datagrams. All are bounded here.
//! * A reset key alone is useless after a crash: quinn's default connection ids are keyed afresh in
//!   each process, so old packets are dropped before the reset logic. Both keys are kept.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::HmacKey;
use quinn::{EndpointConfig, IdleTimeout, TransportConfig, VarInt};
use quinn_proto::HashedConnectionIdGenerator;
use ring::hmac;

/// Silence after which either side gives a connection up.
pub(crate) const IDLE: Duration = Duration::from_secs(60);
/// How often a runner shows that it lives; many NATs forget UDP after 30 s.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(20);
/// Streams that a runner may have open: control, bulk and jobs.
pub(crate) const STREAMS: u32 = 16;

const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
const SEND_WINDOW: u64 = 1024 * 1024;
const SERVER_SOCKET_BUFFER: usize = 8 * 1024 * 1024;
const CLIENT_SOCKET_BUFFER: usize = 2 * 1024 * 1024;

/// The gateway's: only runners open streams, and runners keep the connection alive.
pub(crate) fn server_transport(idle: Duration) -> TransportConfig {
    let mut config = common(idle);
    config.max_concurrent_bidi_streams(VarInt::from_u32(STREAMS));
    config
}

/// A runner's.
pub(crate) fn client_transport(idle: Duration, keepalive: Duration) -> TransportConfig {
    let mut config = common(idle);
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .keep_alive_interval(Some(keepalive));
    config
}

fn common(idle: Duration) -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_idle_timeout(IdleTimeout::try_from(idle).ok())
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(SEND_WINDOW);
    config
}

/// The gateway's endpoint with kept keys, so that runners notice a crashed gateway at their next
/// packet. The first half of `secret` signs reset tokens, the second keys the connection ids.
pub(crate) fn endpoint_config(secret: &[u8; 64]) -> EndpointConfig {
    let (reset_key, id_key) = secret.split_at(32);
    let mut config = EndpointConfig::new(Arc::new(ResetKey(hmac::Key::new(
        hmac::HMAC_SHA256,
        reset_key,
    ))));
    let mut key = [0; 8];
    key.copy_from_slice(&id_key[..8]);
    let key = u64::from_le_bytes(key);
    config
        .cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(key)))
        .min_reset_interval(Duration::ZERO);
    config
}

struct ResetKey(hmac::Key);

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], out: &mut [u8]) {
        out.copy_from_slice(hmac::sign(&self.0, data).as_ref());
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), quinn::crypto::CryptoError> {
        hmac::verify(&self.0, data, signature).map_err(|_| quinn::crypto::CryptoError)
    }
}

/// The gateway's UDP socket, with buffers for a storm of reconnects.
pub(crate) fn server_socket(address: SocketAddr) -> std::io::Result<std::net::UdpSocket> {
    let socket = udp(address, SERVER_SOCKET_BUFFER)?;
    let got = socket.recv_buffer_size()?;
    if got < SERVER_SOCKET_BUFFER {
        tracing::info!(
            bytes = got,
            wanted = SERVER_SOCKET_BUFFER,
            "the kernel limits the gateway's UDP buffer; raise net.core.rmem_max for large fleets"
        );
    }
    Ok(socket.into())
}

/// A runner's UDP socket on any port, for both address families where the machine has both.
pub(crate) fn client_socket() -> std::io::Result<std::net::UdpSocket> {
    udp(
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
        CLIENT_SOCKET_BUFFER,
    )
    .or_else(|_| {
        udp(
            (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
            CLIENT_SOCKET_BUFFER,
        )
    })
    .map(Into::into)
}

fn udp(address: SocketAddr, buffer: usize) -> std::io::Result<socket2::Socket> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // The kernel clamps both to its limits instead of failing.
    socket.set_recv_buffer_size(buffer)?;
    socket.set_send_buffer_size(buffer)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
