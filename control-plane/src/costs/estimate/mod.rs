//! The estimate of a run: announced when its plan ends, made between plan and policies.
//!
//! Making it is idempotent, and safe to break off anywhere: the row says how far it has come, the
//! report is an orphan until the row owns it, and the one update that ends it is conditional.

mod api;
mod attributes;
mod compute;
mod model;
mod report;
mod service;
mod store;

pub(super) use api::routes;
pub(super) use compute::{blocking, counts, open};
pub(super) use model::Counts;
pub use model::{CostEstimate, Estimated, RunPlan, id_for};
pub use report::for_policies;
pub use service::{announce, cancel, give_up, ids_of_runs, of_run, perform};
