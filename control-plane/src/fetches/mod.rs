//! Fetches: repositories that a runner clones, pins and packs for something other than a run.
//!
//! Decides: what is fetched, from where and on whose pool, and what came of it. Leaves to others:
//! the queue, offers and leases (`runs::jobs`, where each fetch gets a job), and what the archive is
//! good for (the owner, which is told when its fetch has ended).

mod error;
mod model;
mod service;
mod store;

pub use error::FetchError;
pub use model::{Fetch, FetchRequest, Fetched, Owner};
pub use service::*;

#[cfg(test)]
mod tests;
