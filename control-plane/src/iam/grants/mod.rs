//! Grants: who has which role where; `access-policies` on the wire. There is no other truth about
//! what people, teams and service accounts may do.

pub(super) mod api;
mod attributes;
pub(super) mod guard;
mod held;
mod model;
mod place;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub(super) use held::of_actor;
pub use held::{effective, granted_actor};
pub use model::Subject;
pub(super) use model::{Grant, GrantedRole};
pub(super) use place::{Spot, find as find_spot};
pub(super) use service::{check_role, grant_member, role_sets};
pub use store::count_admins as count_administrators;
pub(super) use store::{on_spot, subject_name};
