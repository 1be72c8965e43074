//! Accepting over QUIC.
//!
//! At most 64 handshakes per core are worked on; the others wait in quinn's queue, which made 10 000
//! runners come back in under 10 s where unpaced handshakes timed each other out. A permit is given
//! back after [`WORKING`] even if the peer has not answered, so that forged first packets can't hold
//! all permits; and while many handshakes hang, a peer must first prove that its address is real.

use std::sync::Arc;
use std::time::Duration;

use quinn::VarInt;
use rustls_pki_types::CertificateDer;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::Shared;
use super::admit::{Arrival, admit};
use super::handle::Counters;
use super::io::Io;
use super::kill::Kill;
use super::run::Pipes;
use crate::Transport;

/// How long a handshake counts as being worked on.
pub(super) const WORKING: Duration = Duration::from_secs(1);

pub(super) async fn accept(endpoint: quinn::Endpoint, shared: Arc<Shared>, pipes: Pipes) -> String {
    let pace = Arc::new(Semaphore::new(shared.limits.handshakes()));
    let half_open = Arc::new(Semaphore::new(shared.limits.half_open));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let permit = Arc::clone(&pace).acquire_owned().await.ok()?;
            Some((endpoint.accept().await?, permit))
        };
        let (incoming, permit) = tokio::select! {
            accepted = accepted => match accepted {
                Some(accepted) => accepted,
                None => return "the QUIC endpoint".to_owned(),
            },
            Some(_) = connections.join_next() => continue,
        };
        let slot = Arc::clone(&half_open).try_acquire_owned().ok();
        if slot.is_none() && !incoming.remote_address_validated() {
            // An error means that the peer has proved its address already; then it is let go.
            let _ = incoming.retry();
            continue;
        }
        let ticket = Ticket {
            _permit: permit,
            slot,
        };
        connections.spawn(connection(
            incoming,
            ticket,
            Arc::clone(&shared),
            pipes.clone(),
        ));
    }
}

/// The right to work on a handshake.
struct Ticket {
    _permit: OwnedSemaphorePermit,
    slot: Option<OwnedSemaphorePermit>,
}

async fn connection(incoming: quinn::Incoming, ticket: Ticket, shared: Arc<Shared>, pipes: Pipes) {
    let Some(connection) = handshake(incoming, ticket, &shared).await else {
        Counters::add(&shared.counters.handshakes_failed);
        return;
    };
    let certificates = connection
        .peer_identity()
        .and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok());
    let arrival = Arrival {
        certificates: certificates.as_deref().map(Vec::as_slice),
        remote: connection.remote_address(),
        transport: Transport::Quic,
    };
    let admitted = admit(&shared, &arrival, Kill::Quic(connection.clone()));
    drop(certificates);
    let (peer, _guard) = match admitted {
        Ok(admitted) => admitted,
        Err(code) => {
            Counters::add(&shared.counters.refused);
            connection.close(VarInt::from_u32(code.code()), code.sentence().as_bytes());
            return;
        }
    };
    Counters::add(&shared.counters.accepted);
    while let Ok((send, recv)) = connection.accept_bi().await {
        if pipes
            .send(Ok(Io::quic(send, recv, Arc::clone(&peer))))
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn handshake(
    incoming: quinn::Incoming,
    ticket: Ticket,
    shared: &Shared,
) -> Option<quinn::Connection> {
    let Ticket {
        _permit: permit,
        slot,
    } = ticket;
    let mut connecting = incoming.accept().ok()?;
    let result = match tokio::time::timeout(WORKING, &mut connecting).await {
        Ok(result) => result,
        Err(_) => {
            drop(permit);
            let left = shared.limits.handshake.saturating_sub(WORKING);
            tokio::time::timeout(left, connecting).await.ok()?
        }
    };
    drop(slot);
    result
        .inspect_err(|error| tracing::debug!(%error, "QUIC handshake failed"))
        .ok()
}
