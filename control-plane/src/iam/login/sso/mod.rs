//! Signing in through an identity provider: away to it, back from it, and what comes of that.

mod api;
mod error;
mod finish;
mod flow;
mod logout;
#[cfg(test)]
mod tests;

pub(super) use api::{choices, routes};
pub(in crate::iam) use flow::Flow;
pub(super) use logout::logout_address;
