//! Links that are used once: invitations to an account, and new passwords for local users.
//!
//! There is nothing that sends mail: whoever makes a link gets it, once, and passes it on. Only its
//! hash is kept.

pub(in crate::iam) mod api;
mod attributes;
mod redeem;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub(in crate::iam) use redeem::{accept, join, open, reset};
pub use service::password_link;
pub(in crate::iam) use store::{Kind, Link};
