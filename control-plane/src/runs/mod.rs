//! Runs: plan, gates, then apply; the configuration versions they are made from; the queue that
//! starts them; their jobs and logs.
//!
//! Decides: what a run may do next ([`machine`]), whose turn it is ([`queue`]), what a job's report
//! means. Leaves to others: which runner executes a job (`runners`), what a state is (`state`).

mod action_api;
mod actions;
mod actor;
pub mod api;
mod apply_api;
mod approval_api;
mod approval_service;
mod approval_store;
mod artefact_store;
mod attributes;
pub mod configuration;
mod create;
mod error;
pub mod gates;
pub mod jobs;
pub mod logs;
pub mod machine;
mod model;
mod phase_attributes;
mod plan_api;
mod planned_store;
pub mod queue;
mod service;
mod stale;
mod store;
mod transition;
mod wait;

pub use actions::{Action, act, force_execute};
pub use approval_service::standing as approval_standing;
pub use create::{NewRun, create, create_for_upload, variables_of};
pub use error::RunError;
pub use model::{ApplyResult, PlanResult, Run, RunRequest, RunVariable, Unrecorded};
pub use planned_store::{PlannedRun, latest_planned};
pub use service::*;
pub use transition::{CHANGED, advance, transition};
pub use wait::{WaitReason, wait_of_fetch};

#[cfg(test)]
mod tests;
