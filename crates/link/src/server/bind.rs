//! Sockets and TLS of the gateway: one port for UDP and TCP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use quinn::crypto::rustls::QuicServerConfig;

use super::deny::DenySet;
use super::handle::Counters;
use super::registry::Registry;
use super::{Gateway, GatewayConfig, GatewayError, Shared};
use crate::quic;
use crate::tls::{CertificateSlot, TlsError, server_config};

/// A runner's backlog in the kernel during a reconnect storm.
const BACKLOG: i32 = 4096;
/// Tries to find a port that is free for both.
const PORT_TRIES: usize = 32;
/// Handshake packets that wait for their turn; the rest is dropped and sent again by the peer.
const WAITING_HANDSHAKE_BYTES: u64 = 32 * 1024 * 1024;

impl Gateway {
    /// Binds both sockets. Needs a tokio runtime; nothing is served before [`Gateway::run`].
    pub fn bind(config: GatewayConfig) -> Result<Self, GatewayError> {
        let certificate = CertificateSlot::new(&config.certificate)?;
        let quic_tls = server_config(&certificate, &config.ca, protocol::ALPN_QUIC)?;
        let tcp_tls = server_config(&certificate, &config.ca, protocol::ALPN_TCP)?;
        let bind_error = |source| GatewayError::Bind {
            address: config.listen,
            source,
        };
        let (listener, udp) = both_sockets(config.listen).map_err(bind_error)?;
        let local_address = listener.local_addr().map_err(bind_error)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(bind_error)?;

        let crypto = QuicServerConfig::try_from(quic_tls).map_err(|_| TlsError::Quic)?;
        let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        server
            .transport_config(Arc::new(quic::server_transport(config.limits.idle)))
            .incoming_buffer_size_total(WAITING_HANDSHAKE_BYTES);
        let endpoint = quinn::Endpoint::new(
            quic::endpoint_config(&config.reset_secret),
            Some(server),
            udp,
            Arc::new(quinn::TokioRuntime),
        )
        .map_err(bind_error)?;

        let shared = Arc::new(Shared {
            registry: Registry::default(),
            denied: DenySet::new(config.denied),
            limits: config.limits,
            counters: Counters::default(),
            certificate,
        });
        Ok(Self {
            endpoint,
            listener,
            tcp_tls: Arc::new(tcp_tls),
            shared,
            local_address,
        })
    }

    /// Where the gateway listens, UDP and TCP.
    pub fn local_address(&self) -> SocketAddr {
        self.local_address
    }
}

type Sockets = (std::net::TcpListener, std::net::UdpSocket);

/// TCP and UDP on one port. With port 0 the kernel picks one for TCP; if UDP has it already,
/// another is picked.
fn both_sockets(address: SocketAddr) -> io::Result<Sockets> {
    let mut tries = if address.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        let listener = tcp(address)?;
        let udp = quic::server_socket(listener.local_addr()?);
        tries -= 1;
        match udp {
            Ok(udp) => return Ok((listener, udp)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
            Err(error) => return Err(error),
        }
    }
}

fn tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
