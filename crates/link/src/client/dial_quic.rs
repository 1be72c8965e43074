//! A QUIC connection to one of the gateway's addresses.

use std::net::SocketAddr;
use std::sync::Arc;

use super::address::{first_of, resolve};
use super::connector::Inner;
use super::dialer::Dialer;
use super::verdict;
use crate::ca::SERVER_NAME;
use crate::quic;

/// The process's endpoint, made at first use: one UDP socket carries all connections.
pub(super) fn endpoint(inner: &Inner) -> Result<quinn::Endpoint, String> {
    let mut slot = inner.endpoint.lock();
    if let Some(endpoint) = &*slot {
        return Ok(endpoint.clone());
    }
    let made = quic::client_socket()
        .and_then(|socket| {
            quinn::Endpoint::new(
                quinn::EndpointConfig::default(),
                None,
                socket,
                Arc::new(quinn::TokioRuntime),
            )
        })
        .map_err(|error| format!("no UDP socket can be opened: {error}"))?;
    *slot = Some(made.clone());
    Ok(made)
}

/// Resolves and dials. "Connected" means only that the gateway is ours and UDP gets through.
pub(super) async fn dial(inner: &Inner, dialer: &Dialer) -> Result<quinn::Connection, String> {
    let endpoint = endpoint(inner)?;
    let (host, port) = inner.gateway();
    let addresses = resolve(host, port).await?;
    let keepalive = inner.health.lock().keepalive(inner.config.keepalive);
    let config = dialer.quic(inner.config.idle, keepalive);
    let idle = inner.config.idle;
    first_of(&addresses, |address: SocketAddr| {
        let connecting = endpoint.connect_with(config.clone(), address, SERVER_NAME);
        async move {
            match connecting {
                Ok(connecting) => connecting
                    .await
                    .map_err(|error| verdict::of_quic(&error, idle).to_string()),
                Err(error) => Err(error.to_string()),
            }
        }
    })
    .await
}
