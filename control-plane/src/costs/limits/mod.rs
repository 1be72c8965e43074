//! Limits on what plans may cost, without Rego: on an environment or a workspace, inherited downward.

mod model;
mod store;

pub use model::{BrokenLimit, strongest};
pub(super) use model::{Figures, judge};
pub(super) use store::in_force;
