//! Teams: named groups of an environment's people.
//!
//! Decides: who is in a team. Leaves to others: what being in it is good for; today that is counting
//! in approval rules (`approvals`). Settings that would only matter with permissions per team are
//! refused by name.

pub(super) mod api;
mod attributes;
mod model;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use model::Team;
pub use service::{find, members_of, teams_of};
