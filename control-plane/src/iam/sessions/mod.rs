//! The browsers in which somebody is signed in: listed, and signed out from afar.

pub(in crate::iam) mod api;
mod service;
mod store;
#[cfg(test)]
mod tests;
