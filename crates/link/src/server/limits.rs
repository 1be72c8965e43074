//! What peers may cost the gateway, and how long things may take.

use std::time::Duration;

/// Bounds of the gateway. The defaults are meant for production.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Silence after which a QUIC connection is dead.
    pub idle: Duration,
    /// A handshake must end within this.
    pub handshake: Duration,
    /// Handshakes worked on at the same time, per core. More make a reconnect storm slower: they
    /// pile up, time out and are repeated.
    pub handshakes_per_core: usize,
    /// Handshakes that wait for their peer. Above this UDP addresses must prove themselves first.
    pub half_open: usize,
    /// Connections without a certificate, and how long each may live.
    pub unidentified: usize,
    pub unidentified_life: Duration,
    /// A connection that has made no call after this is closed.
    pub first_call: Duration,
    /// Connections of one runner: two transports, make-before-break and a probe, with room to spare.
    pub per_runner: usize,
    /// How long a connection may outlive its certificate: one renewal's worth of retries.
    pub expiry_grace: Duration,
    /// HTTP/2 PING over TCP: interval, and how long to wait for the answer.
    pub tcp_ping: Duration,
    pub tcp_ping_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: crate::quic::IDLE,
            handshake: Duration::from_secs(10),
            handshakes_per_core: 64,
            half_open: 2048,
            unidentified: 512,
            unidentified_life: Duration::from_secs(30),
            first_call: Duration::from_secs(60),
            per_runner: 16,
            expiry_grace: Duration::from_secs(300),
            tcp_ping: Duration::from_secs(20),
            tcp_ping_timeout: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// Permits for handshakes that use CPU at the same time.
    pub(super) fn handshakes(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.handshakes_per_core.saturating_mul(cores).max(1)
    }
}
