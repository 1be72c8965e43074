//! What each task is doing, for `/readyz`, the metrics and whoever debugs.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::task::AbortHandle;

use super::metrics::TaskMetrics;
use crate::clock::{Clock, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Server,
    Reconciler,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A server that serves, or a reconciler in a pass.
    Running,
    /// A reconciler between two passes.
    Waiting,
    /// A reconciler whose last pass failed, before its next try.
    BackingOff,
    Ended,
}

/// A task as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TaskStatus {
    pub name: &'static str,
    pub kind: Kind,
    pub state: State,
    /// When it came into this state.
    pub since: Timestamp,
    /// Passes that ended well. Always 0 for a server.
    pub passes: u64,
    pub last_success: Option<Timestamp>,
    /// Failures in a row since the last success.
    pub failures: u32,
    /// The last failure with its chain of causes; kept after a success, for whoever looks later.
    pub last_error: Option<String>,
}

/// Where one task reports. The board keeps the entry after the task has ended.
pub(super) struct Entry {
    status: Mutex<TaskStatus>,
    abort: Mutex<Option<AbortHandle>>,
    clock: Clock,
    metrics: TaskMetrics,
}

impl Entry {
    pub(super) fn state(&self, state: State) {
        let mut status = self.status.lock();
        status.state = state;
        status.since = self.clock.now();
    }

    /// A pass ended well.
    pub(super) fn succeeded(&self) {
        let now = self.clock.now();
        let mut status = self.status.lock();
        status.passes += 1;
        status.failures = 0;
        status.last_success = Some(now);
        status.state = State::Waiting;
        status.since = now;
        self.metrics.succeeded(status.name, now);
    }

    /// A pass failed; returns how many have failed in a row.
    pub(super) fn failed(&self, error: String) -> u32 {
        let mut status = self.status.lock();
        status.failures += 1;
        status.last_error = Some(error);
        status.state = State::BackingOff;
        status.since = self.clock.now();
        self.metrics.failed(status.name, status.failures);
        status.failures
    }

    pub(super) fn ended(&self, error: Option<String>) {
        let mut status = self.status.lock();
        if error.is_some() {
            status.failures += 1;
            status.last_error = error;
        }
        status.state = State::Ended;
        status.since = self.clock.now();
        self.metrics.ended(status.name);
    }

    pub(super) fn owns(&self, handle: AbortHandle) {
        *self.abort.lock() = Some(handle);
    }
}

/// All tasks of the process.
#[derive(Clone)]
pub(super) struct Board {
    entries: Arc<Mutex<Vec<Arc<Entry>>>>,
    clock: Clock,
    metrics: TaskMetrics,
}

impl Board {
    pub(super) fn new(clock: Clock, metrics: TaskMetrics) -> Self {
        Self {
            entries: Arc::default(),
            clock,
            metrics,
        }
    }

    pub(super) fn add(&self, name: &'static str, kind: Kind) -> Arc<Entry> {
        let status = TaskStatus {
            name,
            kind,
            state: State::Running,
            since: self.clock.now(),
            passes: 0,
            last_success: None,
            failures: 0,
            last_error: None,
        };
        let entry = Arc::new(Entry {
            status: Mutex::new(status),
            abort: Mutex::default(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
        });
        self.metrics.started(name);
        self.entries.lock().push(entry.clone());
        entry
    }

    pub(super) fn statuses(&self) -> Vec<TaskStatus> {
        self.entries
            .lock()
            .iter()
            .map(|entry| entry.status.lock().clone())
            .collect()
    }

    /// The names of the tasks that have not ended.
    pub(super) fn alive(&self) -> Vec<&'static str> {
        let all = self.statuses();
        all.into_iter()
            .filter(|it| it.state != State::Ended)
            .map(|it| it.name)
            .collect()
    }

    pub(super) fn abort_all(&self) {
        for entry in self.entries.lock().iter() {
            if let Some(handle) = entry.abort.lock().take() {
                handle.abort();
            }
        }
    }
}
