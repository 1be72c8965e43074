//! Policy as code: Rego on Terraform plans.
//!
//! * [`GroupSource`] holds the files of a group of policies; [`Group::compile`] makes policies of
//!   them, each sound or with its [`Problem`]s.
//! * [`Policy::evaluate`] asks one policy about an [`input::Input`] and gives a [`Verdict`].
//! * [`suite`] runs tests of policies.
//! * [`worker::Worker`] does all of this in a process that can be stopped whatever a policy does.
//!   That is what everything outside of tests uses.
//! * [`tree`] finds the files of a group in a repository.
//! * [`input`] makes the document that policies see of a plan and a run.
//!
//! Nothing here reads a clock, a file or the network; the time is an argument
//! ([`Circumstances`]), so a verdict is the same whenever it is asked for again.

mod builtins;
mod denials;
mod evaluate;
mod group;
pub mod input;
mod manifest;
mod problem;
mod rego;
pub mod suite;
pub mod tree;
mod verdict;
pub mod worker;

pub use builtins::Circumstances;
pub use denials::{MAX_DENIALS, MAX_MESSAGE_BYTES};
pub use group::{Group, GroupSource, Policy};
pub use manifest::{Enforcement, GroupKind};
pub use problem::{Problem, Severity};
pub use rego::dialect::{Dialect, UnknownDialect};
pub use rego::source::{MAX_NESTING, MAX_SOURCE_BYTES, SourceFile};
pub use verdict::{Denial, Effect, Outcome, Verdict};
