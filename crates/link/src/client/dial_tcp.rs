//! TLS over TCP to one of the gateway's addresses, perhaps through a proxy.

use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use super::address::{first_of, resolve};
use super::connector::Inner;
use super::dialer::Dialer;
use super::verdict;
use crate::ca::SERVER_NAME;
use crate::pipe::Pipe;

/// Resolves, dials and shakes hands. "Connected" means only that the gateway is ours.
pub(super) async fn dial(inner: &Inner, dialer: &Dialer) -> Result<Pipe, String> {
    let stream = connect(inner).await?;
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    let name = ServerName::try_from(SERVER_NAME).map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::clone(&dialer.tcp))
        .connect(name, stream)
        .await
        .map_err(|error| verdict::of_io(&error).to_string())?;
    Ok(Pipe::Tls(Box::new(TlsStream::Client(stream))))
}

async fn connect(inner: &Inner) -> Result<TcpStream, String> {
    let Some(proxy) = &inner.proxy else {
        let (host, port) = inner.gateway();
        let addresses = resolve(host, port).await?;
        return first_of(&addresses, TcpStream::connect).await;
    };
    let addresses = resolve(&proxy.host, proxy.port).await?;
    let mut stream = first_of(&addresses, TcpStream::connect)
        .await
        .map_err(|error| format!("the proxy can't be reached: {error}"))?;
    proxy.tunnel(&mut stream, &inner.config.gateway).await?;
    Ok(stream)
}
