//! The second factor of local users: codes of an authenticator app (TOTP, RFC 6238), and recovery
//! codes for the day on which the app is lost.
//!
//! It is asked for where a password is, and nowhere else: who comes through an identity provider has
//! that provider's factors, and an API token is one by itself.

pub(in crate::iam) mod api;
mod error;
mod service;
mod store;
#[cfg(test)]
mod tests;
mod totp;

pub(in crate::iam) use service::{Answer, check};
