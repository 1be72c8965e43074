//! Teams: named groups of an environment's people.
//!
//! Decides: who is in a team. Leaves to others: what being in it is good for: what the team is granted
//! (`grants`), and counting in approval rules (`approvals`).

pub(super) mod api;
mod attributes;
mod model;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use model::Team;
pub use service::{find, members_of, teams_of};
