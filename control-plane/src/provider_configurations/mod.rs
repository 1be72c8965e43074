//! Provider configurations: access to clouds, clusters and Vault that runs receive, and people can't
//! read.
//!
//! Decides: what each kind needs, who may use one (the environment it belongs to, those it is shared
//! with), which of several a workspace receives, and what a phase of a run gets of it: environment
//! variables and files, no more than that phase needs. Leaves to others: the run's own identity
//! (`run_identity`), and writing the files and wiping them (the runner).

pub mod api;
mod attributes;
mod error;
mod inject;
mod kinds;
mod link_api;
mod link_service;
mod link_store;
mod model;
mod provide;
mod resolve;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use error::ConfigurationError;
pub use inject::{File, PLACE, Provided};
pub use provide::{Beneficiary, provide, secrets_of};
