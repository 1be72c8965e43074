//! The metrics of one process: each owner declares its own in one struct, made from a [`Registry`].
//!
//! ```
//! use telemetry::metrics::{Counter, Error, Histogram, Registry, seconds};
//!
//! struct QueueMetrics {
//!     queued: Counter,
//!     waited: Histogram,
//! }
//!
//! impl QueueMetrics {
//!     fn register(registry: &Registry) -> Result<Self, Error> {
//!         Ok(Self {
//!             queued: registry.counter("terrane_jobs_queued_total", "Jobs put into the queue.")?,
//!             waited: registry.histogram(
//!                 "terrane_job_wait_seconds",
//!                 "From queued to leased.",
//!                 &seconds(0.001, 60.0),
//!             )?,
//!         })
//!     }
//! }
//! # let registry = Registry::new();
//! # QueueMetrics::register(&registry).unwrap().queued.inc();
//! # assert!(registry.render().unwrap().contains("terrane_jobs_queued_total 1"));
//! ```

mod buckets;
#[cfg(target_os = "linux")]
mod process;
mod registry;

pub use buckets::{bytes, seconds};
pub use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramVec, IntCounter as Counter, IntCounterVec as CounterVec,
};
pub use registry::{Description, Error, Kind, Registry};
