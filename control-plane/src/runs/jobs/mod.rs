//! Jobs: the units of work of a run, their leases and epochs.
//!
//! The epoch is the fencing number: every offer raises it, and every write under a lease compares it
//! in its own transaction. An apply is never executed twice; a plan once more.

mod report;
mod revoked;
mod service;
pub(crate) mod store;
pub(in crate::runs) mod turns;

pub use report::{Outcome, Report, complete};
pub use revoked::{delivered, give_up_of, granted, left_by};
pub use service::*;
