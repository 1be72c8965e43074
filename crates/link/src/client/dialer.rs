//! TLS and tuning of one runner's connections, ready to dial with.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;

use super::config::ConnectorConfig;
use super::error::ConnectError;
use crate::quic;
use crate::tls::{ClientIdentity, TlsError, client_config};

/// One identity's TLS on both transports.
#[derive(Clone)]
pub(super) struct Dialer {
    quic: Arc<QuicClientConfig>,
    pub(super) tcp: Arc<rustls::ClientConfig>,
}

impl Dialer {
    pub(super) fn new(
        config: &ConnectorConfig,
        identity: Option<&ClientIdentity>,
    ) -> Result<Self, ConnectError> {
        let quic = client_config(&config.trust, identity, protocol::ALPN_QUIC).map_err(unusable)?;
        let tcp = client_config(&config.trust, identity, protocol::ALPN_TCP).map_err(unusable)?;
        let quic = QuicClientConfig::try_from(quic).map_err(|_| unusable(TlsError::Quic))?;
        Ok(Self {
            quic: Arc::new(quic),
            tcp: Arc::new(tcp),
        })
    }

    pub(super) fn quic(&self, idle: Duration, keepalive: Duration) -> quinn::ClientConfig {
        let mut config = quinn::ClientConfig::new(
            Arc::clone(&self.quic) as Arc<dyn quinn::crypto::ClientConfig>
        );
        config.transport_config(Arc::new(quic::client_transport(idle, keepalive)));
        config
    }
}

fn unusable(error: TlsError) -> ConnectError {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    ConnectError::Configuration(text)
}
