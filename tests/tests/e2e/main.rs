//! The product as its users meet it: the real terraform CLI, real processes, kills included.
//!
//! Each test starts its own control plane and runner on free ports; they share nothing.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod access;
mod approvals;
mod backup;
mod bad_input;
mod cli_apply;
mod cli_cancel;
mod cli_mapping;
mod cli_saved_plan;
mod common;
mod container;
mod cost;
mod dev;
mod faults;
mod fetch;
mod flavour;
mod gates;
mod gates_before_plan;
mod impact;
mod jobs;
mod keys;
mod large_states;
mod limits;
mod login;
mod metadata;
mod migration;
mod network;
mod revoked;
mod secrets;
mod state_commands;
