//! Policy groups: policies of an account, where they hold, and which snapshot of them is in force.
//!
//! Decides: what a group is made of and bound to, that only a revision whose manifest can be read and
//! whose tests pass is put in force, and that the last good one stays until the next. Leaves to
//! others: what policies say about a run (`runs`), how Rego is evaluated (crate `policy`), and how a
//! repository is fetched (the runner). Policy sets of the TFE API and policy groups of the Scalr-like
//! one are two views of the same rows.

pub mod api;
mod binding_store;
mod bindings;
mod check;
mod checkup;
mod contents;
mod document_refresh;
mod document_source;
mod document_store;
mod documents;
mod error;
mod group_service;
mod group_store;
mod in_force;
mod model;
mod parameter_store;
mod parameters;
mod policy_store;
mod proposals;
mod reach;
mod revision_store;
mod revisions;
mod singles;
#[cfg(test)]
pub(crate) mod tests;

pub use bindings::Links;
pub use check::check_waiting;
pub use checkup::{Checkups, checkup};
pub use document_refresh::refresh_due;
pub use error::PolicyError;
pub use group_service::{GroupChange, create, delete, find, git_token, list, load, read, update};
pub use in_force::{InForce, in_force, source_of};
pub use model::{BoundKind, CommitInfo, GroupStatus, Layout, PolicyGroup, Revision};
pub use proposals::propose;
pub use reach::{Reach, reach};
pub use revisions::{announce, fetch_failed, fetched, find_revision, resync, upload};
