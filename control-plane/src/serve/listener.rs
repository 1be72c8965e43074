//! One port that speaks HTTP, with or without TLS.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::ConnectionMetrics;
use super::limit::LimitConnections;
use crate::supervise::Stop;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests at a time on one HTTP/2 connection.
const STREAMS: u32 = 256;
const MAX_HEADER_BYTES: u32 = 64 * 1024;
/// A client that is gone without a word is noticed by a ping.
const PING_EVERY: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address} for {name}")]
pub struct ListenError {
    name: &'static str,
    address: SocketAddr,
    source: io::Error,
}

/// How a listener speaks.
#[derive(Clone)]
pub enum Scheme {
    Http,
    Https(Arc<ServerConfig>),
}

/// What one listener bears.
#[derive(Debug, Clone, Copy)]
pub struct ListenerLimits {
    pub connections: u32,
    pub header_timeout: Duration,
}

/// A bound socket: from here on nobody else can take the port.
pub struct Listener {
    name: &'static str,
    socket: TcpListener,
    local_address: SocketAddr,
}

impl Listener {
    /// Binds; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address can't be had.
    pub fn bind(name: &'static str, address: SocketAddr) -> Result<Self, ListenError> {
        let failed = |source| ListenError {
            name,
            address,
            source,
        };
        let socket = TcpListener::bind(address).map_err(failed)?;
        let local_address = socket.local_addr().map_err(failed)?;
        Ok(Self {
            name,
            socket,
            local_address,
        })
    }

    pub fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Serves until the stop is asked for, then lets requests in progress finish, and drops those
    /// that are left when there is no time.
    ///
    /// # Errors
    /// If the socket fails for good.
    pub async fn serve(
        self,
        scheme: Scheme,
        router: Router,
        limits: ListenerLimits,
        metrics: ConnectionMetrics,
        stop: Stop,
    ) -> io::Result<()> {
        let server = axum_server::from_tcp(self.socket)?;
        let limit = LimitConnections::new(limits.connections, self.name, metrics);
        match scheme {
            Scheme::Http => run(server.acceptor(limit), router, limits, stop).await,
            Scheme::Https(config) => {
                let tls = RustlsAcceptor::new(RustlsConfig::from_config(config))
                    .handshake_timeout(HANDSHAKE_TIMEOUT)
                    .acceptor(limit);
                run(server.acceptor(tls), router, limits, stop).await
            }
        }
    }
}

/// What serves one connection: the routes, with the peer's address at hand.
type Service = AddExtension<Router, ConnectInfo<SocketAddr>>;

async fn run<A>(
    mut server: Server<SocketAddr, A>,
    router: Router,
    limits: ListenerLimits,
    stop: Stop,
) -> io::Result<()>
where
    A: Accept<TcpStream, Service> + Clone + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send,
    A::Service: axum_server::service::SendService<http::Request<hyper::body::Incoming>> + Send,
    A::Future: Send,
{
    let handle = Handle::new();
    let http = server.http_builder();
    http.http1().header_read_timeout(limits.header_timeout);
    http.http2()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .keep_alive_interval(PING_EVERY);
    let serving = server
        .handle(handle.clone())
        .first_request_timeout(limits.header_timeout)
        .serve(router.into_make_service_with_connect_info::<SocketAddr>());
    let mut serving = pin!(serving);
    tokio::select! {
        result = &mut serving => return result,
        () = stop.asked() => handle.graceful_shutdown(None),
    }
    tokio::select! {
        result = &mut serving => return result,
        () = stop.out_of_time() => handle.shutdown(),
    }
    serving.await
}
