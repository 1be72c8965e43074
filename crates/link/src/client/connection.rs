//! A live connection to the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use quinn::VarInt;

use super::channel::{Channel, EnrollmentClient, RunnerClient, runner_client};
use super::connector::Inner;
use super::dialer::Dialer;
use super::error::ConnectError;
use super::session::Session;
use super::{dial_tcp, verdict};
use crate::Transport;
use crate::close::{CloseCode, CloseReason};
use crate::pipe::Pipe;
use crate::quic;

const JOB_PRIORITY: i32 = 5;
const BULK_PRIORITY: i32 = -10;

/// A connection on which Hello was answered. Dropping the last clone closes it.
#[derive(Clone)]
pub struct Connection {
    pub(super) live: Arc<Live>,
    reason: Arc<str>,
}

pub(super) struct Live {
    pub(super) inner: Arc<Inner>,
    pub(super) dialer: Dialer,
    control: Session,
    path: Path,
    /// Whether its loss has been counted.
    counted: AtomicBool,
}

/// What carries a connection.
pub(super) enum Path {
    Quic(quinn::Connection),
    /// With the second connection, for bulk, once it was needed.
    Tcp {
        bulk: tokio::sync::Mutex<Option<Session>>,
    },
}

/// A connection without a certificate.
pub struct Enrolling {
    pub client: EnrollmentClient,
    pub connection: Connection,
}

impl Path {
    pub(super) fn tcp() -> Self {
        Self::Tcp {
            bulk: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn transport(&self) -> Transport {
        match self {
            Self::Quic(_) => Transport::Quic,
            Self::Tcp { .. } => Transport::Tcp,
        }
    }

    /// Only QUIC knows: HTTP/2 inside it says no more than "connection lost".
    pub(super) fn close_reason(&self, idle: Duration) -> Option<CloseReason> {
        match self {
            Self::Quic(connection) => connection
                .close_reason()
                .map(|error| verdict::of_quic(&error, idle)),
            Self::Tcp { .. } => None,
        }
    }
}

impl Connection {
    pub(super) fn new(inner: Arc<Inner>, dialer: Dialer, control: Session, path: Path) -> Self {
        let live = Live {
            inner,
            dialer,
            control,
            path,
            counted: AtomicBool::new(false),
        };
        Self {
            live: Arc::new(live),
            reason: Arc::from(""),
        }
    }

    pub(super) fn set_reason(&mut self, reason: String) {
        self.reason = Arc::from(reason);
    }

    /// Hello, Lease, Heartbeat, Acknowledge, Renew.
    pub fn control(&self) -> RunnerClient {
        runner_client(self.live.control.channel.clone())
    }

    /// The control session itself, for a client of another kind.
    pub fn channel(&self) -> Channel {
        self.live.control.channel.clone()
    }

    /// A session for one running job: logs, progress, completion. Over QUIC a stream of its own,
    /// which ends when the client is dropped (the control session once the gateway allows no more
    /// streams); over TCP the control session.
    pub async fn open_job(&self) -> Result<RunnerClient, ConnectError> {
        match &self.live.path {
            Path::Quic(connection) => self.stream(connection, JOB_PRIORITY).await,
            Path::Tcp { .. } => Ok(self.control()),
        }
    }

    /// A session for archives, plans and states. Over QUIC a stream of low priority, over TCP a
    /// second connection, so that heart-beats never wait behind it.
    pub async fn open_bulk(&self) -> Result<RunnerClient, ConnectError> {
        match &self.live.path {
            Path::Quic(connection) => self.stream(connection, BULK_PRIORITY).await,
            Path::Tcp { bulk } => {
                let mut bulk = bulk.lock().await;
                if let Some(session) = bulk.as_ref().filter(|session| session.end().is_none()) {
                    return Ok(runner_client(session.channel.clone()));
                }
                let session = Box::pin(self.second_connection()).await?;
                let client = runner_client(session.channel.clone());
                *bulk = Some(session);
                Ok(client)
            }
        }
    }

    async fn stream(
        &self,
        connection: &quinn::Connection,
        priority: i32,
    ) -> Result<RunnerClient, ConnectError> {
        // Not awaited: with all allowed streams in use it would wait until one ends.
        let (send, recv) = match connection.open_bi().now_or_never() {
            Some(Ok(stream)) => stream,
            Some(Err(error)) => {
                let reason = verdict::of_quic(&error, self.live.inner.config.idle);
                return Err(ConnectError::Ended(reason.to_string()));
            }
            None => return Ok(self.control()),
        };
        let _ = send.set_priority(priority);
        let session = Box::pin(Session::open(Pipe::Quic { send, recv }, None))
            .await
            .map_err(|error| ConnectError::Ended(error.to_string()))?;
        Ok(runner_client(session.channel))
    }

    async fn second_connection(&self) -> Result<Session, ConnectError> {
        let Live { inner, dialer, .. } = &*self.live;
        let dialling = async {
            let pipe = dial_tcp::dial(inner, dialer).await?;
            Session::open(pipe, Some(inner.ping()))
                .await
                .map_err(|error| error.to_string())
        };
        let failure = match tokio::time::timeout(inner.config.timeout, dialling).await {
            Ok(Ok(session)) => return Ok(session),
            Ok(Err(failure)) => failure,
            Err(_) => "no answer".to_owned(),
        };
        Err(ConnectError::Unreachable {
            gateway: inner.config.gateway.clone(),
            failures: vec![format!("second TCP connection: {failure}")],
        })
    }

    pub fn transport(&self) -> Transport {
        self.live.path.transport()
    }

    /// Why this transport is in use, one sentence for people.
    pub fn transport_reason(&self) -> &str {
        &self.reason
    }

    /// Waits until the connection has ended and says why.
    pub async fn closed(&self) -> CloseReason {
        let idle = self.live.inner.config.idle;
        let reason = match &self.live.path {
            Path::Quic(connection) => {
                tokio::select! {
                    biased;
                    error = connection.closed() => verdict::of_quic(&error, idle),
                    ended = self.live.control.ended() => {
                        self.live.path.close_reason(idle).unwrap_or(ended)
                    }
                }
            }
            Path::Tcp { .. } => self.live.control.ended().await,
        };
        self.live.count(&reason);
        reason
    }

    /// After a change of network: takes a new UDP socket; the QUIC connection and everything on it
    /// goes on. Does nothing over TCP.
    pub fn rebind(&self) -> std::io::Result<()> {
        match (&self.live.path, &*self.live.inner.endpoint.lock()) {
            (Path::Quic(_), Some(endpoint)) => endpoint.rebind(quic::client_socket()?),
            (Path::Quic(_), None) | (Path::Tcp { .. }, _) => Ok(()),
        }
    }

    /// Says goodbye.
    pub fn close(&self) {
        self.live.close();
    }
}

impl Live {
    /// Tells the health of QUIC about a loss, once.
    fn count(&self, reason: &CloseReason) {
        let lost = matches!(reason, CloseReason::Idle(_));
        if lost && !self.counted.swap(true, Ordering::Relaxed) {
            self.inner.health.lock().lost(Instant::now());
        }
    }

    fn close(&self) {
        if let Path::Quic(connection) = &self.path {
            let code = CloseCode::Goodbye;
            connection.close(VarInt::from_u32(code.code()), code.sentence().as_bytes());
        }
        if let Path::Tcp { bulk } = &self.path
            && let Ok(bulk) = bulk.try_lock()
            && let Some(session) = &*bulk
        {
            session.kill();
        }
        self.control.kill();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.close();
    }
}
