//! The checks after each handshake, and the entry into the registry.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use rustls_pki_types::CertificateDer;

use super::Shared;
use super::kill::Kill;
use super::peer::Peer;
use super::registry::LiveGuard;
use crate::Transport;
use crate::ca::{PeerIdentity, parse_peer};
use crate::close::CloseCode;

/// How long a TCP peer that is refused may ask for the reason.
const REFUSAL_LIFE: Duration = Duration::from_secs(5);

/// What the handshake told about the other end.
pub(super) struct Arrival<'a> {
    pub(super) certificates: Option<&'a [CertificateDer<'static>]>,
    pub(super) remote: SocketAddr,
    pub(super) transport: Transport,
}

/// Lets a peer in and registers it, or says why not.
pub(super) fn admit(
    shared: &Arc<Shared>,
    arrival: &Arrival<'_>,
    kill: Kill,
) -> Result<(Arc<Peer>, LiveGuard), CloseCode> {
    let identity = match arrival.certificates.and_then(<[_]>::first) {
        Some(certificate) => Some(parse_peer(certificate).map_err(|_| CloseCode::BadIdentity)?),
        None => None,
    };
    let most = if identity.is_some() {
        shared.limits.per_runner
    } else {
        shared.limits.unidentified
    };
    if shared.registry.held_by(identity.as_ref()) >= most {
        return Err(CloseCode::TooMany);
    }
    let end = end_of_life(shared, identity.as_ref());
    let (peer, guard) = register(shared, arrival, identity, None, kill, end);
    // After the registration: a revocation in between either closes it or is seen here.
    match &peer.identity {
        Some(identity) if shared.denied.contains(identity) => Err(CloseCode::Revoked),
        Some(_) | None => Ok((peer, guard)),
    }
}

/// Lets a TCP peer in only to tell it the reason: TCP has no close code.
pub(super) fn admit_refused(
    shared: &Arc<Shared>,
    arrival: &Arrival<'_>,
    code: CloseCode,
    kill: Kill,
) -> (Arc<Peer>, LiveGuard) {
    let end = Some((Instant::now() + REFUSAL_LIFE, code));
    register(shared, arrival, None, Some(code), kill, end)
}

fn register(
    shared: &Arc<Shared>,
    arrival: &Arrival<'_>,
    identity: Option<PeerIdentity>,
    refusal: Option<CloseCode>,
    kill: Kill,
    end: Option<(Instant, CloseCode)>,
) -> (Arc<Peer>, LiveGuard) {
    let connection_id = shared.registry.next_id();
    let peer = Arc::new(Peer {
        identity,
        remote: arrival.remote,
        transport: arrival.transport,
        connection_id,
        refusal,
        called: AtomicBool::new(false),
    });
    shared.registry.insert(Arc::clone(&peer), kill, end);
    (peer, LiveGuard::new(Arc::clone(shared), connection_id))
}

/// A connection lives as long as its certificate, and some grace; rustls looks at the date only
/// once, in the handshake.
fn end_of_life(shared: &Shared, identity: Option<&PeerIdentity>) -> Option<(Instant, CloseCode)> {
    let now = Instant::now();
    let Some(identity) = identity else {
        return Some((now + shared.limits.unidentified_life, CloseCode::Silent));
    };
    let wall_clock = DateTime::<Utc>::from(SystemTime::now());
    let left = (identity.not_after - wall_clock)
        .to_std()
        .unwrap_or_default();
    now.checked_add(left.saturating_add(shared.limits.expiry_grace))
        .map(|end| (end, CloseCode::Expired))
}
