//! Jobs: the units of work of runs and fetches, their leases and epochs.
//!
//! The epoch is the fencing number: every offer raises it, and every write under a lease compares it
//! in its own transaction. An apply is never executed twice; a plan once more.

mod expire;
mod fetches;
mod owner;
mod report;
mod revoked;
mod service;
pub(crate) mod store;
pub(in crate::runs) mod turns;

pub use expire::expire;
pub(in crate::runs) use fetches::job_of_fetch;
pub use fetches::settle_fetches;
pub use owner::{OfRun, Owner};
pub use report::{Outcome, Report, complete};
pub use revoked::{Delivery, admit_delivery, delivered, give_up_of, left_by};
pub use service::*;
pub(crate) use turns::is_waited_for;
