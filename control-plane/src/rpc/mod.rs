//! The runner gateway: what runners call, turned into use cases. Nothing is decided here.
//!
//! Wire: `protocol/proto/terrane/runner/v1/runner.proto`. Every call under a lease carries job and
//! epoch; the use case compares both in the transaction of its write.

mod artefacts;
mod directives;
mod dispatch;
mod downloads;
mod enrollment;
mod gateway;
mod job;
mod logs;
mod messages;
mod relay;
mod service;
mod status;

pub use gateway::{BindError, Gateway, GatewaySettings};
