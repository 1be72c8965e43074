//! Impact analysis: what a proposed revision of a policy group would say about the runs that were
//! planned last, beside what the revision in force says about them.
//!
//! Decides: which runs are looked at, what counts as a change, which verdicts are known already and
//! for how long they are kept. Leaves to others: what policies see of a run (`runs::gates`), where a
//! group is in force and what it is made of (`policies`), and evaluating (crate `policy`).
//!
//! It is incremental: a verdict depends on the digest of the policy's closure and on that of the
//! input, and on nothing else (time, for a policy, is when the run was made). So each pair is
//! evaluated once, however often it is asked about. What a limit of the machine decided is not
//! kept. A verdict of the gate is not taken over: there, time is when it was asked.

pub mod api;
mod ask;
mod attributes;
mod cell;
mod chunk;
mod csv;
mod error;
mod export;
mod keeper;
mod model;
mod perform;
mod prepare;
mod result_api;
mod result_store;
mod scope_store;
mod service;
mod store;
mod sweep;
#[cfg(test)]
mod tests;
mod verdict_store;
mod write;

pub use error::ImpactError;
pub use keeper::ImpactKeeper;
pub use model::{Analysis, Counts};
pub use sweep::sweep;
