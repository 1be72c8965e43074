//! A live connection to the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use quinn::VarInt;

use super::channel::{Channel, EnrollmentClient, RunnerClient, runner_client};
use super::connector::Inner;
use super::dialer::Dialer;
use super::error::ConnectError;
use super::session::Session;
use super::streams::Streams;
use super::{dial_tcp, verdict};
use crate::Transport;
use crate::close::{CloseCode, CloseReason};
use crate::quic;

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
    Quic {
        connection: quinn::Connection,
        jobs: Box<Streams>,
        bulk: Box<Streams>,
    },
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
    pub(super) fn quic(connection: quinn::Connection) -> Self {
        Self::Quic {
            connection,
            jobs: Box::new(Streams::for_jobs()),
            bulk: Box::new(Streams::for_bulk()),
        }
    }

    pub(super) fn tcp() -> Self {
        Self::Tcp {
            bulk: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn transport(&self) -> Transport {
        match self {
            Self::Quic { .. } => Transport::Quic,
            Self::Tcp { .. } => Transport::Tcp,
        }
    }

    /// Only QUIC knows: HTTP/2 inside it says no more than "connection lost".
    pub(super) fn close_reason(&self, idle: Duration) -> Option<CloseReason> {
        match self {
            Self::Quic { connection, .. } => connection
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
    /// which ends when the client is dropped (more than eight jobs at a time share one more); over
    /// TCP the control session: keep what is not acknowledged of a log below 256 KiB there, so that
    /// no number of stuck logs stands in the way of a heart-beat.
    pub async fn open_job(&self) -> Result<RunnerClient, ConnectError> {
        match &self.live.path {
            Path::Quic {
                connection, jobs, ..
            } => Ok(runner_client(jobs.session(connection).await?.channel)),
            Path::Tcp { .. } => Ok(self.control()),
        }
    }

    /// A session for archives, plans and states. Over QUIC a stream of low priority, which
    /// ends when the client is dropped; over TCP a second connection, so that heart-beats never wait behind it.
    pub async fn open_bulk(&self) -> Result<RunnerClient, ConnectError> {
        match &self.live.path {
            Path::Quic {
                connection, bulk, ..
            } => Ok(runner_client(bulk.session(connection).await?.channel)),
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
            Path::Quic { connection, .. } => {
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
            (Path::Quic { .. }, Some(endpoint)) => endpoint.rebind(quic::client_socket()?),
            (Path::Quic { .. }, None) | (Path::Tcp { .. }, _) => Ok(()),
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
        if let Path::Quic { connection, .. } = &self.path {
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
