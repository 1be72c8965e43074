//! Runners: the pools they belong to, the tokens they join with, their certificates, and who is
//! connected.
//!
//! Decides: who may join, renew, recover and stay. Leaves to others: what a runner executes (`runs`),
//! how it is talked to (`rpc`, crate `link`).

mod authority;
mod error;
pub mod hub;
mod model;
mod presence;
mod service;
mod store;

pub use authority::Authority;
pub use error::RunnerError;
pub use model::{Joining, Runner, Session};
pub use presence::{Presence, PresenceWriter, write as write_presence};
pub use service::*;
