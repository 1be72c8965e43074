//! The conversation with the gateway.
//!
//! [`core`] decides: what was heard and the time go in, commands come out; it does no I/O and knows
//! no clock. [`shell`] connects, calls and waits as it is told.

pub mod core;
mod failure;
pub mod shell;
