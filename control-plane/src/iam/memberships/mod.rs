//! Memberships of an account, as clients manage them: who belongs to it, and in which role.
//!
//! The wire names an organization, but people belong to the account: every environment of it shows
//! the same. Nobody is invited by e-mail: who is added gets an initial password, shown once.

pub(super) mod api;
mod attributes;
mod service;
#[cfg(test)]
mod tests;
