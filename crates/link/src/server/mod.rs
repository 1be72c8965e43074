//! The gateway: one port, UDP for QUIC and TCP for TLS, behind it one tonic service.
//!
//! Both accept loops end in the same place: a byte pipe with a [`Peer`] attached, given to a tonic
//! server. The [`guard`] stands in front of every method and lets nobody without a certificate
//! past, Enrollment excepted; it is built in here, so that a gateway can't be served without it.
//!
//! What a peer may cost is bounded before it is known who it is: handshakes under way, half-open
//! connections, unidentified connections and their life, connections per runner.

mod accept_quic;
mod accept_tcp;
mod admit;
mod bind;
mod deny;
mod guard;
mod handle;
mod io;
mod kill;
mod limits;
mod peer;
mod registry;
mod run;

use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;

pub use deny::Denied;
pub use guard::{GuardLayer, needs_certificate};
pub use handle::{GatewayHandle, GatewayStats};
pub use limits::Limits;
pub use peer::{ConnectionId, Peer, identity, peer, runner};

use crate::ca::ServerCertificate;
use crate::tls::{CertificateSlot, TlsError};

/// All that a gateway needs.
#[derive(Clone)]
pub struct GatewayConfig {
    /// UDP and TCP are bound to the same port; port 0 takes one that is free for both.
    pub listen: SocketAddr,
    pub certificate: ServerCertificate,
    /// The runner CA: who may present a client certificate.
    pub ca: CertificateDer<'static>,
    /// Kept across restarts and shared by replicas: lets runners notice a crash at once.
    pub reset_secret: [u8; 64],
    pub denied: Denied,
    pub limits: Limits,
}

/// A gateway whose sockets are bound; [`Gateway::run`] serves it.
pub struct Gateway {
    endpoint: quinn::Endpoint,
    listener: tokio::net::TcpListener,
    tcp_tls: Arc<rustls::ServerConfig>,
    shared: Arc<Shared>,
    local_address: SocketAddr,
}

/// What accept loops, handle and registry share.
struct Shared {
    registry: registry::Registry,
    denied: deny::DenySet,
    limits: Limits,
    counters: handle::Counters,
    certificate: CertificateSlot,
}

/// Why a gateway can't start or has stopped.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error("the gateway can't listen on {address}")]
    Bind {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("the gateway's TLS can't be set up")]
    Tls(#[from] TlsError),
    #[error("a part of the gateway has stopped: {0}")]
    Stopped(String),
}
