//! Terraform's own formats: what a plan says, what a state holds, what a run prints.
//!
//! Pure: parse, compare and print, with no I/O beyond the reader or writer that was handed in and
//! no clock. Everything read here was written by somebody else's configuration or provider, so every
//! parser is bounded, takes any bytes without panicking, and is fuzzed (`fuzz/`).
//!
//! Decided against: typed models of the whole plan and state. They change with each release, and
//! nothing here needs more than the few fields it names; the rest passes through as raw JSON.

pub mod address;
pub mod hcl;
pub mod lines;
pub mod plan;
pub mod probe;
pub mod redact;
pub mod state;
mod stream;
pub mod variables;
