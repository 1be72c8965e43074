//! Accounts, their environments and projects, and the keys that seal what belongs to an account.
//!
//! Decides: how a name or id on the wire finds an environment or a project of the caller's account.
//! Leaves to others: who may see them (`iam`), what is in them (`workspaces`).

pub mod api;
mod attributes;
mod error;
mod key_store;
mod keys;
mod limit;
mod model;
mod names;
mod rotate;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use error::TenancyError;
pub use keys::{JournalKey, Keyring, SealedPlace, forget_installation_secret};
pub use limit::limit_account;
pub use model::{Account, Environment, Project};
pub use names::check_name;
pub use rotate::{rewrap_keys, rotate_account_keys};
pub use service::*;
