//! Who is at the other end, as a handler sees it: the same for both transports.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::ids::RunnerId;
use tonic::{Request, Status};

use crate::Transport;
use crate::ca::PeerIdentity;
use crate::close::CloseCode;

/// Numbers the connections of one gateway process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub(super) u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One connection's other end.
#[derive(Debug)]
pub struct Peer {
    /// Without one only Enrollment can be called.
    pub identity: Option<PeerIdentity>,
    /// As it was at the handshake; a QUIC peer may have moved since.
    pub remote: SocketAddr,
    pub transport: Transport,
    pub connection_id: ConnectionId,
    /// Let in only to be told why not (TCP has no close code).
    pub(super) refusal: Option<CloseCode>,
    pub(super) called: AtomicBool,
}

impl Peer {
    pub fn runner_id(&self) -> Option<&RunnerId> {
        self.identity.as_ref().map(|identity| &identity.runner_id)
    }

    pub(super) fn mark_called(&self) {
        self.called.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_called(&self) -> bool {
        self.called.load(Ordering::Relaxed)
    }
}

/// The peer of a request.
pub fn peer<T>(request: &Request<T>) -> Result<&Arc<Peer>, Status> {
    request
        .extensions()
        .get::<Arc<Peer>>()
        .ok_or_else(|| Status::internal("the request did not come through the runner gateway"))
}

/// The peer of a request, which must have a certificate.
pub fn runner<T>(request: &Request<T>) -> Result<&Arc<Peer>, Status> {
    let peer = peer(request)?;
    match peer.identity {
        Some(_) => Ok(peer),
        None => Err(super::guard::certificate_needed()),
    }
}

/// The identity in the certificate of a request's peer, which must have one.
pub fn identity<T>(request: &Request<T>) -> Result<&PeerIdentity, Status> {
    peer(request)?
        .identity
        .as_ref()
        .ok_or_else(super::guard::certificate_needed)
}
