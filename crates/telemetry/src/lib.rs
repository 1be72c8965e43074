//! Logs, metrics and the panic hook: the only crate that configures them.
//!
//! Every other crate emits through `tracing` and holds the metrics that it was handed; none of them
//! knows a format, a level or a registry. Metrics live in a [`metrics::Registry`] that is passed
//! down, not in the default global one: two servers in one test process don't see each other's
//! numbers.

pub mod logs;
pub mod metrics;
pub mod panics;
