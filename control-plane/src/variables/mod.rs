//! Variables: what runs are given besides the configuration, by their workspace, its environment and
//! its account.
//!
//! Decides: which keys and values are acceptable, that a sensitive value is never read back, and
//! which of several counts ([`effective`]). Leaves to others: variables given for one run
//! (`runs`), and how Terraform receives them (the runner). Every value is sealed, not only the
//! sensitive ones: what is called harmless today is a password tomorrow.

pub mod api;
mod attributes;
mod effective;
mod error;
mod model;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use effective::{EffectiveVariable, effective};
pub use error::VariableError;
pub use model::{Owner, Variable};
pub use service::*;
