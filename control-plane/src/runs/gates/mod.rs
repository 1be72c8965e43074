//! Gates: what stands between a run and its next phase, how it is asked, and what it said.
//!
//! Decides: which verdicts of policies let a run pass, what policies see of a run, who may override.
//! Leaves to others: what the verdicts are (crate `policy`), which policies are in force
//! (`policies`), what a plan costs (`costs`), and what an answer means for the run (the run machine).
//!
//! A check, its task stage and its evaluation exist once for a run, so their ids are the run's with
//! another prefix: what points to them needs no look-up.

mod again;
mod api;
mod attributes;
mod check_api;
mod claim_store;
mod decide;
mod evaluate;
mod facts;
mod input;
mod input_store;
mod judge;
mod keeper;
mod model;
mod output;
mod perform;
mod service;
mod stage_api;
mod stage_attributes;
mod store;
#[cfg(test)]
mod tests;

pub use again::{input_again, input_digests, stored_inputs};
pub use api::routes;
pub(super) use decide::after_plan;
pub use input::{PolicyInput, StoredInput, of_run as input_of_run};
pub use keeper::GateKeeper;
pub use model::{PolicyCheck, PolicyResult, policy_check_id, task_stage_id};
pub(super) use output::log_preface;
pub(super) use stage_api::stages_of_run;
pub(crate) use store::announce;
pub(super) use store::end;
