//! Required approvals: who else has to agree before a run is applied.
//!
//! Decides: which rules a run falls under (all of its environment and of its workspace), whose
//! approval counts for each, and whether they are met ([`standing`]). Leaves to others: whether a run
//! may be approved at the moment, and what happens when the last approval is there (`runs`, which
//! calls this slice).

pub mod api;
mod attributes;
mod error;
mod model;
mod service;
mod standing;
mod store;
#[cfg(test)]
mod tests;

pub use error::ApprovalError;
pub use model::{Approval, ApprovalRule};
pub use service::{RunFacts, counts_for_team, give, given, standing, withdraw};
pub use standing::{Requirement, Standing};
