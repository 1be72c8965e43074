//! Policies as whole groups: hostile ones in real workers, the examples, and OPA itself beside us.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod builtins;
mod cases;
mod examples;
mod hostile;
mod opa;
mod support;
