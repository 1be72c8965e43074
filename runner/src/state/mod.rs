//! The state that a step writes, on its way to the control plane.
//!
//! While a step runs its snapshots are uploaded as they appear ([`sync`]); when it is over, however
//! it went, the newest state of all that it left is found ([`found`]) and brought home
//! ([`bring_home`]).

mod bring_home;
mod found;
mod sync;

pub use bring_home::{BroughtHome, Label, bring_home};
pub use found::{Found, Source, found};
pub use sync::sync_snapshots;
