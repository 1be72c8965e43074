//! Starts supervisors, finds them again, and says what surrounds a step.
//!
//! A trait because there really are two: a process of this machine and a container. Both are
//! only ever asked to start a supervisor on a step directory; everything after that goes through
//! the directory's files, which cross a container's bind mount and a restart of the runner alike.

pub mod docker;
mod executors;
pub mod process;
mod sandbox;

use std::future::Future;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;

use protocol::v1::ExecutionSettings;
use serde::{Deserialize, Serialize};

pub use executors::Executors;
pub use sandbox::{SandboxChoice, SandboxLevel, Surroundings};

use crate::job::StepDir;

/// A started supervisor, as it is found again after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Execution {
    Process {
        /// Leads the session of the step.
        pid: u32,
        /// The step's own user.
        uid: Option<u32>,
    },
    Docker {
        container: String,
    },
}

/// What a step is started with.
#[derive(Debug, Clone)]
pub struct Start {
    pub job_id: String,
    pub run_id: String,
    pub step: StepDir,
    pub settings: ExecutionSettings,
    /// Read-only places outside the step directory: the terraform binary, provider mirrors.
    pub read_only: Vec<PathBuf>,
}

/// Why a step could not be started or looked after.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    #[error("{0}")]
    Refused(String),
    #[error("{what} failed")]
    Io {
        what: &'static str,
        source: std::io::Error,
    },
    #[error("docker: {what} failed: {reason}")]
    Docker { what: &'static str, reason: String },
}

impl ExecutorError {
    fn reachable_metadata() -> Self {
        let sentence =
            "the cloud metadata address is not blocked on this runner, and the pool demands it";
        Self::Refused(sentence.to_owned())
    }
}

/// What follows when the rules that held at the runner's start can't be loaded before a step.
fn still_kept(
    kept: Result<(), crate::firewall::FirewallError>,
    start: &Start,
) -> Result<(), ExecutorError> {
    match kept {
        Ok(()) => Ok(()),
        Err(error) if start.settings.refuse_reachable_metadata => {
            tracing::error!(job = %start.job_id, %error, "the metadata address is not blocked");
            Err(ExecutorError::reachable_metadata())
        }
        Err(error) => {
            tracing::warn!(
                job = %start.job_id, %error,
                "the rules against the metadata address could not be loaded again"
            );
            Ok(())
        }
    }
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ExecutorError>> + Send + 'a>>;

/// One way to run a step.
pub trait Executor: Send + Sync {
    /// Its name on the wire.
    fn name(&self) -> &'static str;

    /// The sandbox that the supervisor puts on, and the user the step directory is given to.
    ///
    /// # Errors
    /// When the job asks for more than this machine can give.
    fn surroundings(&self, start: &Start) -> Result<Surroundings, ExecutorError>;

    /// An address of this machine on which the step reaches the runner; `None` if its network has
    /// none.
    fn meeting_point<'a>(&'a self, settings: &'a ExecutionSettings) -> Answer<'a, Option<IpAddr>>;

    /// Starts the supervisor on a step directory whose specification has been written.
    fn start<'a>(&'a self, start: &'a Start) -> Answer<'a, Execution>;

    /// Why a supervisor that has not begun never will; `None` while it may.
    fn never_began<'a>(
        &'a self,
        execution: &'a Execution,
        step: &'a StepDir,
    ) -> Answer<'a, Option<String>>;

    /// Whether the kernel ended something in it for want of memory.
    fn ended_for_memory<'a>(
        &'a self,
        job_id: &'a str,
        execution: &'a Execution,
    ) -> Answer<'a, bool>;

    /// A step of an earlier runner process goes on: what it uses is not free.
    fn found(&self, execution: &Execution);

    /// Ends everything of a job's dead or given-up step and removes what is left of it, also where
    /// the execution was not recorded.
    fn remove<'a>(&'a self, job_id: &'a str, execution: Option<&'a Execution>) -> Answer<'a, ()>;
}
