//! Workspaces: one Terraform configuration each, with its settings, tags and lock.
//!
//! Decides: names, settings, who holds the lock, whether a workspace may go. Leaves to others: its
//! variables, states and runs; they keep `current_run_id` and `current_state_version_id` through
//! this slice's face. This slice is the pattern that the others copy.

pub mod api;
mod attributes;
mod error;
mod git;
mod lock;
mod lock_api;
mod lock_service;
mod model;
mod service;
mod settings;
mod store;
mod tag_api;
mod tag_service;
mod tag_store;
mod tags;
#[cfg(test)]
mod tests;

pub use attributes::GitInput;
pub use error::WorkspaceError;
pub use git::NewGitSource;
pub use lock::Lock;
pub use lock_service::{force_unlock, lock, unlock};
pub use model::{Filter, GitSource, Workspace, WorkspaceKey, valid_name};
pub use service::*;
pub use settings::{Settings, SettingsChange};
pub use tag_service::{TagChange, change_tags, find_tags, tags_of};
pub use tags::TagBinding;
