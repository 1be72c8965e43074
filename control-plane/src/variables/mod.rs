//! Variables of a workspace: what its runs are given besides the configuration.
//!
//! Decides: which keys and values are acceptable, that a sensitive value is never read back, and in
//! which order variables count ([`effective`]). Leaves to others: variables given for one run
//! (`runs`), and how Terraform receives them (the runner). Every value is sealed, not only the
//! sensitive ones: what is called harmless today is a password tomorrow.

pub mod api;
mod attributes;
mod error;
mod model;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use error::VariableError;
pub use model::{EffectiveVariable, Variable};
pub use service::*;
