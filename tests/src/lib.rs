//! End-to-end tests: real server and runner processes, the real terraform CLI.
//!
//! This is their harness; the tests are in `tests/e2e`, one binary, because linking is the dear
//! part. They know the product by its contract only: command lines, the JSON line of `terrane dev`,
//! the API. Nothing here links a crate of floor 3.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests that can't go on fails the test"
)]

mod api;
pub mod bench;
mod nat;
mod policies;
mod processes;
mod project;
mod runner;
mod segment;
mod sequence;
mod server;
pub mod wait;

pub use api::{Answer, Api};
pub use nat::Nat;
pub use processes::{is_alive, kill_all_below, kill_now, terminate};
pub use project::{Backend, Project, Ran};
pub use runner::Runner;
pub use segment::Segment;
pub use sequence::{Golden, normalised};
pub use server::{Dev, Facts, Options, terrane};
