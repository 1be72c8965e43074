//! Calls to the control plane that outlive a connection.
//!
//! A job must not care whether the gateway is there: a call waits for a connection, is repeated on
//! the next one when the connection breaks, and ends only with an answer or a refusal that would be
//! the same on every connection.

mod artefact;
mod download;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tonic::{Code, Status};

pub use artefact::{Artefact, ArtefactError, upload};
pub use download::{DownloadError, Downloaded, download};

use crate::gateway::Connected;

/// The generated client over whatever carries it.
pub type Client = link::client::RunnerClient;

/// Which of a connection's streams a call goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Control,
    /// The stream of one running job: its logs.
    Job,
    /// Archives, plans, state.
    Bulk,
}

/// A refusal that no repetition changes.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    /// The lease under which this was sent is no longer this runner's.
    #[error("the lease of this job has passed on to somebody else")]
    Stale,
    #[error("the control plane refused: {0}")]
    Status(String),
    /// This runner has been revoked. What is left of its applies it may deliver over a connection
    /// that is for that only.
    #[error("the control plane does not let this runner do it: {0}")]
    Denied(String),
    /// The runner stops.
    #[error("the runner is stopping")]
    Stopping,
}

/// The way to the control plane, shared by all jobs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Wire {
    connection: watch::Receiver<Option<Arc<Connected>>>,
    /// The session of one job and the connection it belongs to.
    job: Arc<Mutex<Option<(u64, Client)>>>,
}

/// Failures of one call on one living connection before it counts as refused.
const PATIENCE: u32 = 40;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Wire {
    pub fn new(connection: watch::Receiver<Option<Arc<Connected>>>) -> Self {
        Self {
            connection,
            job: Arc::default(),
        }
    }

    /// The same way with a job session of its own.
    pub fn for_job(&self) -> Self {
        Self::new(self.connection.clone())
    }

    /// Calls `f` until it is answered or refused. `f` may be called many times: what it does must
    /// be idempotent.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn call<T, F, Fut>(&self, lane: Lane, f: F) -> Result<T, Refused>
    where
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Result<T, Status>>,
    {
        let mut connections = self.connection.clone();
        let mut failures = 0;
        let mut last = 0;
        loop {
            let connected = wait_for(&mut connections).await?;
            if connected.id() != last {
                last = connected.id();
                failures = 0;
            }
            let status = match self.client(&connected, lane).await {
                Ok(client) => match f(client).await {
                    Ok(answer) => return Ok(answer),
                    Err(status) => status,
                },
                Err(status) => status,
            };
            self.give_up_session(&connected, lane).await;
            failures += 1;
            if let Some(refused) = verdict(&status, failures) {
                return Err(refused);
            }
            tracing::debug!(code = ?status.code(), message = status.message(), failures, "call failed");
            pause(failures, &mut connections).await?;
        }
    }
}

impl Wire {
    /// Which connection calls go over now, if there is one.
    pub fn connection(&self) -> Option<u64> {
        self.connection.borrow().as_ref().map(|it| it.id())
    }

    /// Waits for another connection than this one.
    ///
    /// # Errors
    /// [`Refused::Stopping`].
    pub async fn other_connection(&self, than: Option<u64>) -> Result<(), Refused> {
        let mut connections = self.connection.clone();
        let other = |it: &Option<Arc<Connected>>| {
            it.as_ref()
                .is_some_and(|connected| Some(connected.id()) != than)
        };
        let found = connections.wait_for(other).await;
        found.map(drop).map_err(|_| Refused::Stopping)
    }

    /// Says how far a job is, if there is a connection; nothing depends on it.
    pub async fn tell(&self, progress: protocol::v1::ProgressRequest) {
        let Some(connected) = self.connection.borrow().clone() else {
            return;
        };
        let mut client = connected.connection().control();
        let _ = tokio::time::timeout(LONGEST_PAUSE, client.progress(progress)).await;
    }

    async fn client(&self, connected: &Connected, lane: Lane) -> Result<Client, Status> {
        if lane != Lane::Job {
            return connected.client(lane).await;
        }
        let mut job = self.job.lock().await;
        match job.as_ref() {
            Some((id, client)) if *id == connected.id() => Ok(client.clone()),
            Some(_) | None => {
                let client = connected.client(lane).await?;
                Ok(job.insert((connected.id(), client)).1.clone())
            }
        }
    }

    async fn give_up_session(&self, connected: &Connected, lane: Lane) {
        match lane {
            Lane::Control => {}
            Lane::Job => {
                self.job.lock().await.take();
            }
            Lane::Bulk => connected.renew_bulk().await,
        }
    }
}

/// The newest connection, as soon as there is one.
async fn wait_for(
    connections: &mut watch::Receiver<Option<Arc<Connected>>>,
) -> Result<Arc<Connected>, Refused> {
    let found = connections
        .wait_for(Option::is_some)
        .await
        .map_err(|_| Refused::Stopping)?;
    found.clone().ok_or(Refused::Stopping)
}

/// Waits a little, or until there is another connection.
async fn pause(
    failures: u32,
    connections: &mut watch::Receiver<Option<Arc<Connected>>>,
) -> Result<(), Refused> {
    let pause = FIRST_PAUSE
        .saturating_mul(1 << failures.min(8))
        .min(LONGEST_PAUSE);
    match tokio::time::timeout(pause, connections.changed()).await {
        Ok(Err(_)) => Err(Refused::Stopping),
        Ok(Ok(())) | Err(_) => Ok(()),
    }
}

/// What a failed call means; `None`: try again.
fn verdict(status: &Status, failures: u32) -> Option<Refused> {
    let refused = || Refused::Status(status.message().to_owned());
    match status.code() {
        Code::FailedPrecondition if status.message().contains("stale_epoch") => {
            Some(Refused::Stale)
        }
        Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded | Code::ResourceExhausted => {
            None
        }
        // What breaks inside a connection arrives as one of these, and so does a fault of the
        // server; a living connection tells them apart in time.
        Code::Unknown | Code::Internal | Code::Aborted | Code::Ok => {
            (failures >= PATIENCE).then(refused)
        }
        // The connection's certificate may just have run out: the session renews it.
        Code::Unauthenticated => (failures >= PATIENCE).then(refused),
        Code::FailedPrecondition
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss => Some(refused()),
        Code::PermissionDenied => Some(Refused::Denied(status.message().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_change_is_tried_again() {
        assert!(verdict(&Status::unavailable("x"), 1_000).is_none());
        assert!(verdict(&Status::unknown("transport error"), 1).is_none());
        assert!(verdict(&Status::internal("bug"), PATIENCE).is_some());
        assert!(matches!(
            verdict(&Status::failed_precondition("stale_epoch: 3 < 4"), 1),
            Some(Refused::Stale)
        ));
        assert!(matches!(
            verdict(&Status::invalid_argument("no"), 1),
            Some(Refused::Status(text)) if text == "no"
        ));
        assert!(matches!(
            verdict(&Status::permission_denied("revoked"), 1),
            Some(Refused::Denied(_))
        ));
    }
}
