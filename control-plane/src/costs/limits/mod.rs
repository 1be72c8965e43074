//! Limits on what plans may cost, without Rego: on an environment or a workspace, inherited downward.

mod api;
mod attributes;
mod model;
mod service;
mod store;

pub(super) use api::routes;
pub use model::{BrokenLimit, strongest};
pub(super) use model::{Figures, judge};
pub(super) use store::in_force;
