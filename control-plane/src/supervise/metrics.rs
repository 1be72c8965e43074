//! One set of time series per task.

use telemetry::metrics::{CounterVec, Error, GaugeVec, Registry};

use crate::clock::Timestamp;

/// The metrics of the supervisor.
#[derive(Clone)]
pub struct TaskMetrics {
    up: GaugeVec,
    passes: CounterVec,
    failures_in_a_row: GaugeVec,
    last_success: GaugeVec,
}

impl TaskMetrics {
    /// # Errors
    /// If the names are taken: two supervisors on one registry.
    pub fn register(registry: &Registry) -> Result<Self, Error> {
        Ok(Self {
            up: registry.gauge_vec("terrane_task_up", "1 while the task lives.", &["task"])?,
            passes: registry.counter_vec(
                "terrane_task_passes_total",
                "Passes of a reconciler, by result.",
                &["task", "result"],
            )?,
            failures_in_a_row: registry.gauge_vec(
                "terrane_task_failures_in_a_row",
                "Failed passes of a reconciler since its last good one.",
                &["task"],
            )?,
            last_success: registry.gauge_vec(
                "terrane_task_last_success_timestamp_seconds",
                "When a reconciler last ended a pass well.",
                &["task"],
            )?,
        })
    }

    pub(super) fn started(&self, task: &str) {
        self.up.with_label_values(&[task]).set(1.0);
    }

    pub(super) fn ended(&self, task: &str) {
        self.up.with_label_values(&[task]).set(0.0);
    }

    pub(super) fn succeeded(&self, task: &str, now: Timestamp) {
        self.passes.with_label_values(&[task, "ok"]).inc();
        self.failures_in_a_row.with_label_values(&[task]).set(0.0);
        let seconds = now.timestamp_micros() as f64 / 1e6;
        self.last_success.with_label_values(&[task]).set(seconds);
    }

    pub(super) fn failed(&self, task: &str, in_a_row: u32) {
        self.passes.with_label_values(&[task, "error"]).inc();
        self.failures_in_a_row
            .with_label_values(&[task])
            .set(f64::from(in_a_row));
    }
}
