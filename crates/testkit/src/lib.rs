//! What tests of several crates share: databases, a local S3 server, and the rule for skipping.
//!
//! A dev-dependency only. Nothing here may link the control plane or the runner, so that their own
//! tests can use it.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests that can't go on fails the test"
)]

pub mod database;
#[cfg(feature = "s3")]
mod s3;
mod skip;

#[cfg(feature = "s3")]
pub use s3::LocalS3;
pub use skip::skip;
