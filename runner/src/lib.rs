//! The runner: dials out to a gateway, leases jobs, runs terraform under a supervisor, and brings
//! logs and state back.
//!
//! It keeps nothing that a restart would lose: what a running step needs is in its directory, and
//! the supervisor that owns the step outlives the runner.

pub mod app;
pub mod archive;
pub mod cgroup;
mod clock;
pub mod config;
mod drain;
pub mod executor;
mod files;
pub mod firewall;
pub mod gateway;
pub mod git;
mod http_client;
pub mod identity;
mod installed;
pub mod job;
pub mod logs;
pub mod machine;
pub mod providers;
pub mod relay;
pub mod release_keys;
pub mod session;
pub mod state;
pub mod terraform_binary;
pub mod wire;
