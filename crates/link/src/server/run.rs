//! Serving: two accept loops and the sweep of the registry feed two tonic servers over the same
//! routes. Two, because HTTP/2 PINGs are needed over TCP, where a dead path is otherwise never
//! noticed, and are a waste inside QUIC, which has its own idle timeout.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::VarInt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;

use super::guard::GuardLayer;
use super::io::Io;
use super::limits::Limits;
use super::{Gateway, GatewayError, Shared, accept_quic, accept_tcp};
use crate::close::CloseCode;
use crate::{Transport, windows};

/// Pipes between an accept loop and its tonic server.
const QUEUE: usize = 1024;
const SWEEP: Duration = Duration::from_secs(1);
/// How long a stop waits for goodbyes to be sent, and not until every peer must have had them: the next
/// process is waited for. Who misses the goodbye hears from that one that the connection is gone.
const FAREWELL: Duration = Duration::from_millis(500);

type Sender = mpsc::Sender<Result<Io, std::io::Error>>;
type Receiver = mpsc::Receiver<Result<Io, std::io::Error>>;

/// Where an accept loop sends its pipes.
pub(super) type Pipes = Sender;

impl Gateway {
    /// Serves until `shutdown`, then closes every connection with [`CloseCode::Restart`] and ends.
    /// All tasks belong to this future. An error means that a part has stopped by itself.
    ///
    /// To stop gently, first tell the runners (Drain) and call
    /// [`super::GatewayHandle::close_all`]; this is the last word.
    pub async fn run(
        self,
        routes: Routes,
        shutdown: CancellationToken,
    ) -> Result<(), GatewayError> {
        let routes = routes.prepare();
        let (quic_pipes, quic_incoming) = mpsc::channel(QUEUE);
        let (tcp_pipes, tcp_incoming) = mpsc::channel(QUEUE);
        let shared = Arc::clone(&self.shared);
        let endpoint = self.endpoint.clone();

        let mut parts = JoinSet::new();
        parts.spawn(serve(
            Transport::Quic,
            &shared.limits,
            routes.clone(),
            quic_incoming,
        ));
        parts.spawn(serve(Transport::Tcp, &shared.limits, routes, tcp_incoming));
        parts.spawn(accept_quic::accept(
            self.endpoint,
            Arc::clone(&shared),
            quic_pipes,
        ));
        parts.spawn(accept_tcp::accept(
            self.listener,
            self.tcp_tls,
            Arc::clone(&shared),
            tcp_pipes,
        ));
        parts.spawn(sweep(Arc::clone(&shared)));

        let result = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            ended = parts.join_next() => Err(GatewayError::Stopped(describe(ended))),
        };
        say_goodbye(&endpoint, &shared).await;
        parts.shutdown().await;
        result
    }
}

/// Returns what ended it; none of the parts ends by itself.
fn serve(
    transport: Transport,
    limits: &Limits,
    routes: Routes,
    incoming: Receiver,
) -> impl Future<Output = String> + Send + use<> {
    let (ping, session_window) = match transport {
        Transport::Quic => (None, windows::SESSION),
        Transport::Tcp => (Some(limits.tcp_ping), windows::SHARED_SESSION),
    };
    let server = Server::builder()
        .http2_keepalive_interval(ping)
        .http2_keepalive_timeout(Some(limits.tcp_ping_timeout))
        .initial_stream_window_size(windows::STREAM)
        .initial_connection_window_size(session_window)
        .max_concurrent_streams(windows::CALLS)
        .http2_max_header_list_size(windows::HEADERS)
        .layer(GuardLayer)
        .add_routes(routes)
        .serve_with_incoming(ReceiverStream::new(incoming));
    async move {
        match server.await {
            Ok(()) => format!("the {transport} service"),
            Err(error) => format!("the {transport} service: {error}"),
        }
    }
}

async fn sweep(shared: Arc<Shared>) -> String {
    let mut ticks = tokio::time::interval(SWEEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        shared
            .registry
            .sweep(Instant::now(), shared.limits.first_call);
    }
}

async fn say_goodbye(endpoint: &quinn::Endpoint, shared: &Shared) {
    let code = CloseCode::Restart;
    shared.registry.close_where(code, |_| true);
    endpoint.close(VarInt::from_u32(code.code()), code.sentence().as_bytes());
    let _ = tokio::time::timeout(FAREWELL, endpoint.wait_idle()).await;
}

fn describe(ended: Option<Result<String, tokio::task::JoinError>>) -> String {
    match ended {
        Some(Ok(part)) => part,
        Some(Err(error)) => error.to_string(),
        None => "nothing runs".to_owned(),
    }
}
