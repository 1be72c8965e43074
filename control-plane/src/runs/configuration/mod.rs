//! Configuration versions: one uploaded or fetched snapshot of the code, kept so that a run can be
//! repeated and audited.

pub mod api;
mod model;
mod service;
mod store;

pub use model::{ConfigurationVersion, Fetched};
pub use service::*;
