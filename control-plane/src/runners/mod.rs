//! Runners: the pools they belong to, the tokens they join with, their certificates, and who is
//! connected.
//!
//! Decides: who may join, renew, recover and stay, and which runners a pool gives its jobs to. Leaves to others: what a runner executes (`runs`),
//! how it is talked to (`rpc`, crate `link`).

mod agent_api;
mod agent_service;
mod agent_store;
pub mod api;
mod attributes;
mod authority;
mod demands;
mod error;
pub mod hub;
mod model;
mod pool_api;
mod pool_service;
mod pool_store;
mod presence;
mod service;
mod store;
mod token_api;
mod token_service;
mod token_store;

#[cfg(test)]
mod tests;

pub use agent_service::{REVOKED, revoked};
pub use authority::Authority;
pub use demands::{Demands, Offered, SandboxLevel};
pub use error::RunnerError;
pub use model::{Joining, Runner, Session};
pub use pool_service::{Standing, demands, standing};
pub use presence::{Presence, PresenceWriter, write as write_presence};
pub use service::*;
pub use token_service::create_join_token;
