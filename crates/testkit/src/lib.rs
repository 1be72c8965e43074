//! What tests of several crates share: databases, a local S3 server, and the rule for skipping.
//!
//! A dev-dependency only. Nothing here may link the control plane or the runner, so that their own
//! tests can use it.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests that can't go on fails the test"
)]

#[cfg(feature = "programs")]
mod certificate;
pub mod database;
#[cfg(feature = "programs")]
mod fake_cloud;
#[cfg(feature = "programs")]
mod git_server;
#[cfg(feature = "programs")]
mod https_server;
#[cfg(feature = "programs")]
mod oidc_provider;
#[cfg(feature = "programs")]
pub mod programs;
#[cfg(feature = "programs")]
pub mod recorder;
#[cfg(feature = "s3")]
mod s3;
mod skip;
#[cfg(feature = "programs")]
mod terminal;

#[cfg(feature = "programs")]
pub use certificate::TestCertificate;
#[cfg(feature = "programs")]
pub use fake_cloud::FakeCloud;
#[cfg(feature = "programs")]
pub use git_server::GitServer;
#[cfg(feature = "programs")]
pub use https_server::{Delivery, HttpsServer};
#[cfg(feature = "programs")]
pub use oidc_provider::OidcProvider;
#[cfg(feature = "programs")]
pub use recorder::{Recorded, Recorder};
#[cfg(feature = "s3")]
pub use s3::LocalS3;
pub use skip::skip;
#[cfg(feature = "programs")]
pub use terminal::Terminal;
