//! Gates: what stands between a run and its next phase, how it is asked, and what it said.
//!
//! Decides: which verdicts of policies let a run pass , who may override. Leaves to
//! others: what the verdicts are (crate `policy`), which policies are in force (`policies`), what a
//! plan costs (`costs`), and what an answer means for the run (the run machine).
//!
//! A check, its task stage and its evaluation exist once for a run, so their ids are the run's with
//! another prefix: what points to them needs no look-up.

mod model;
mod store;

pub use model::{policy_check_id, task_stage_id};
pub(super) use store::{announce, end};
