//! What the rest of the control plane may do to a running gateway.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::ids::RunnerId;

use super::deny::Denied;
use super::peer::ConnectionId;
use super::{Gateway, Shared};
use crate::ca::ServerCertificate;
use crate::close::CloseCode;
use crate::tls::TlsError;

/// Counts since the start of the process.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) handshakes_failed: AtomicU64,
    pub(super) refused: AtomicU64,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A look at the gateway, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayStats {
    /// Live connections by transport.
    pub quic: usize,
    pub tcp: usize,
    /// Those among them without a certificate.
    pub unidentified: usize,
    /// Since the start of the process.
    pub accepted: u64,
    pub handshakes_failed: u64,
    pub refused: u64,
}

/// A cheap handle to a gateway; outlives it harmlessly.
#[derive(Clone)]
pub struct GatewayHandle {
    shared: Arc<Shared>,
    local_address: SocketAddr,
}

impl Gateway {
    pub fn handle(&self) -> GatewayHandle {
        GatewayHandle {
            shared: Arc::clone(&self.shared),
            local_address: self.local_address,
        }
    }
}

impl GatewayHandle {
    /// Where the gateway listens, UDP and TCP.
    pub fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Revokes one certificate (serial in lower-case hexadecimal) and closes its connections.
    /// Says how many were closed.
    pub fn revoke_serial(&self, serial: &str) -> usize {
        self.shared.denied.change(|denied| {
            denied.serials.insert(serial.to_owned());
        });
        self.close_denied()
    }

    /// Refuses a runner whatever its certificate, and closes its connections.
    pub fn revoke_runner(&self, runner: &RunnerId) -> usize {
        self.shared.denied.change(|denied| {
            denied.runners.insert(runner.clone());
        });
        self.close_denied()
    }

    /// Replaces the whole list, as read from the database, and closes whom it names.
    pub fn set_denied(&self, denied: Denied) -> usize {
        self.shared.denied.replace(denied);
        self.close_denied()
    }

    fn close_denied(&self) -> usize {
        let denied = &self.shared.denied;
        self.shared
            .registry
            .close_where(CloseCode::Revoked, |peer| {
                peer.identity
                    .as_ref()
                    .is_some_and(|identity| denied.contains(identity))
            })
    }

    /// Closes the connections of one runner; it may come back.
    pub fn close_runner(&self, runner: &RunnerId, code: CloseCode) -> usize {
        self.shared
            .registry
            .close_where(code, |peer| peer.runner_id() == Some(runner))
    }

    /// Closes one connection.
    pub fn close_connection(&self, id: ConnectionId, code: CloseCode) -> usize {
        self.shared
            .registry
            .close_where(code, |peer| peer.connection_id == id)
    }

    /// Closes every connection that is live now, spread evenly over `window` so that runners don't
    /// come back all at once. Connections made meanwhile are left alone.
    pub async fn close_all(&self, code: CloseCode, window: Duration) {
        let kills = self.shared.registry.kills();
        let count = u32::try_from(kills.len()).unwrap_or(u32::MAX).max(1);
        let start = tokio::time::Instant::now();
        for (turn, kill) in (0..).zip(kills) {
            // A no-op for turns that are already due, so that a short window is kept.
            tokio::time::sleep_until(start + window.mul_f64(f64::from(turn) / f64::from(count)))
                .await;
            kill.close(code);
        }
    }

    /// New connections get this certificate from now on.
    pub fn replace_certificate(&self, certificate: &ServerCertificate) -> Result<(), TlsError> {
        self.shared.certificate.replace(certificate)
    }

    pub fn stats(&self) -> GatewayStats {
        let count = self.shared.registry.count();
        let counters = &self.shared.counters;
        GatewayStats {
            quic: count.quic,
            tcp: count.tcp,
            unidentified: count.unidentified,
            accepted: counters.accepted.load(Ordering::Relaxed),
            handshakes_failed: counters.handshakes_failed.load(Ordering::Relaxed),
            refused: counters.refused.load(Ordering::Relaxed),
        }
    }
}
