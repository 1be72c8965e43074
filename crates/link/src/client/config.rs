//! What a runner is told about its way to the gateway.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::Transport;
use crate::tls::{ClientIdentity, Trust};

/// Which transports may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransportChoice {
    /// Both, by the rules of the race. A proxy means TCP.
    #[default]
    Auto,
    Only(Transport),
}

/// How to reach a gateway.
#[derive(Debug, Clone)]
pub struct ConnectorConfig {
    /// `host:port`; the port is the same for UDP and TCP.
    pub gateway: String,
    pub trust: Trust,
    /// None before enrolment.
    pub identity: Option<ClientIdentity>,
    pub transport: TransportChoice,
    /// `http://[user:password@]host:port`, used by CONNECT, for TCP only.
    pub https_proxy: Option<Url>,
    /// Where the winner of each network is remembered for 24 h; None: nowhere.
    pub network_memory: Option<PathBuf>,
    /// Handshake and Hello of one transport must end within this.
    pub timeout: Duration,
    pub keepalive: Duration,
    pub idle: Duration,
}

impl ConnectorConfig {
    /// The usual settings for a gateway.
    pub fn new(gateway: impl Into<String>, trust: Trust, identity: Option<ClientIdentity>) -> Self {
        Self {
            gateway: gateway.into(),
            trust,
            identity,
            transport: TransportChoice::default(),
            https_proxy: None,
            network_memory: None,
            timeout: Duration::from_secs(10),
            keepalive: crate::quic::KEEPALIVE,
            idle: crate::quic::IDLE,
        }
    }
}
