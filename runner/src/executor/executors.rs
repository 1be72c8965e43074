//! The executors that this runner has, and which of them a job gets.

use std::sync::Arc;

use super::{Execution, Executor, ExecutorError};

/// The executors of this runner. At least one is there.
#[derive(Clone, Default)]
pub struct Executors {
    pub process: Option<Arc<dyn Executor>>,
    pub docker: Option<Arc<dyn Executor>>,
}

impl Executors {
    /// Names of those that are there, the one that `auto` takes first.
    pub fn names(&self) -> Vec<String> {
        self.docker
            .iter()
            .chain(&self.process)
            .map(|it| it.name().to_owned())
            .collect()
    }

    /// The executor for `wanted`: `docker`, `process`, or `auto`.
    ///
    /// # Errors
    /// When this runner doesn't have it.
    pub fn choose(&self, wanted: &str) -> Result<Arc<dyn Executor>, ExecutorError> {
        let found = match wanted {
            "docker" => self.docker.as_ref(),
            "process" => self.process.as_ref(),
            _ => self.docker.as_ref().or(self.process.as_ref()),
        };
        found.cloned().ok_or_else(|| {
            ExecutorError::Refused(format!(
                "the job wants the executor {wanted:?} and this runner has only {}",
                self.names().join(", ")
            ))
        })
    }

    /// All that are there.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn Executor>> {
        self.docker.iter().chain(&self.process)
    }

    /// The executor that started a step.
    ///
    /// # Errors
    /// When this runner doesn't have it any more.
    pub fn of(&self, execution: &Execution) -> Result<Arc<dyn Executor>, ExecutorError> {
        match execution {
            Execution::Process { .. } => self.choose("process"),
            Execution::Docker { .. } => self.choose("docker"),
        }
    }
}
