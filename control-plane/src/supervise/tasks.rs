//! Starting tasks. The handle is cheap to clone and goes to whoever composes the process.

use std::any::Any;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::status::{Board, Kind, TaskStatus};
use super::{Stop, Wake, reconciler};

pub type BoxError = Box<dyn Error + Send + Sync>;

/// A server that has ended, and why.
pub(super) struct Ended {
    pub(super) name: &'static str,
    pub(super) error: Option<String>,
}

/// Starts tasks under the supervisor, and tells how they are.
#[derive(Clone)]
pub struct Tasks {
    pub(super) stop: Stop,
    pub(super) tracker: TaskTracker,
    pub(super) board: Board,
    pub(super) ended: mpsc::UnboundedSender<Ended>,
}

impl Tasks {
    /// Starts a server. It must serve until `stop` is asked for, then drain; if it ends before, the
    /// whole process stops with a non-zero exit code. So it does when the server ends with an
    /// error or a panic, at whatever time.
    pub fn server<F, Fut, E>(&self, name: &'static str, serve: F)
    where
        F: FnOnce(Stop) -> Fut,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let entry = self.board.add(name, Kind::Server);
        let serving = serve(self.stop.clone());
        let ended = self.ended.clone();
        let reporter = entry.clone();
        let handle = self.tracker.spawn(async move {
            let error = match AssertUnwindSafe(serving).catch_unwind().await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(chain(error.into().as_ref())),
                Err(panic) => Some(panic_message(panic.as_ref())),
            };
            reporter.ended(error.clone());
            // Nobody listens once the supervisor has gone: then the process is ending anyway.
            let _ = ended.send(Ended { name, error });
        });
        entry.owns(handle.abort_handle());
    }

    /// Starts a reconciler: `pass` runs at once, then after each `period` and each wake. Passes of
    /// one reconciler never overlap. A pass must be idempotent, and safe to drop at any await.
    pub fn reconciler<F, Fut, E>(
        &self,
        name: &'static str,
        period: Duration,
        wake: Wake,
        mut pass: F,
    ) where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let entry = self.board.add(name, Kind::Reconciler);
        let stop = self.stop.clone();
        let reporter = entry.clone();
        let handle = self.tracker.spawn(async move {
            let pass = move || pass().map(|result| result.map_err(Into::into));
            reconciler::run(name, period, wake, stop, reporter.clone(), pass).await;
            reporter.ended(None);
        });
        entry.owns(handle.abort_handle());
    }

    /// How all tasks are, in the order in which they were started.
    pub fn statuses(&self) -> Vec<TaskStatus> {
        self.board.statuses()
    }

    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// A part of the supervisor itself, which ends with the process and is not waited for.
    #[expect(clippy::disallowed_methods, reason = "the one home of tasks")]
    pub(super) fn helper(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    match message {
        Some(message) => format!("panicked: {message}"),
        None => "panicked".to_owned(),
    }
}
