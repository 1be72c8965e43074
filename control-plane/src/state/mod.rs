//! States: every version that Terraform wrote, in order, and which one is current.
//!
//! Decides: what may become a workspace's current state (`rules`): the caller holds the workspace,
//! the lineage is the same, the serial rises, the content is what was announced. What a client sends
//! and doesn't pass is refused, because the client still has it; what a run's runner sends and
//! doesn't pass is kept in quarantine, because that copy may be the only one. Leaves to others: who
//! holds a workspace (`workspaces`), what a run does with its state (`runs`), how bytes are kept
//! (`objects`), what is in a state file (crate `terraform`).
//!
//! States are never held whole: they are stored while they come in, then read back through a
//! streaming parser for their index. Decided against indexing while storing: a client that is slow
//! or lies would hold a parser, and the second pass reads what will be read later, so an object
//! store that damages data is noticed before the state becomes current.

pub mod api;
mod attributes;
mod copy;
mod create;
mod error;
mod examine;
mod inline;
mod journal;
mod model;
mod output_api;
mod output_store;
mod outputs;
mod prepare;
mod promote;
mod read;
mod rollback;
mod rules;
mod run_states;
mod signed_api;
mod store;
mod summary;
#[cfg(test)]
mod tests;
mod upload;

pub use create::{Creation, NewState, check_may_create, create};
pub use error::StateError;
pub use journal::open_sealed_journal;
pub use model::{Announced, Filter, StateVersion};
pub use outputs::Output;
pub use promote::promote;
pub use read::{
    Download, Found, Reach, current, current_version, download, find, list, of_run, open_current,
};
pub use rollback::roll_back;
pub use rules::Refusal;
pub use run_states::{Disposition, RunStateGrant, accept_from_run};
pub use summary::Summary;
pub use upload::{UPLOAD_WINDOW, discard_expired};
