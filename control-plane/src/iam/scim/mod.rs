//! SCIM 2.0: a provider's client makes people of its account and its groups here before anybody signs
//! in, and suspends them when they leave (RFC 7643, RFC 7644).
//!
//! Each identity provider has one token for it. The client sees and changes what is its provider's,
//! and through the provider's mappings the members of teams; never another account's.

mod api;
mod caller;
mod error;
mod filter;
mod group_api;
mod groups;
mod patch;
mod resource;
mod schema;
mod store;
#[cfg(test)]
mod tests;
mod token_api;
mod token_store;
mod users;

pub use api::routes;
pub(in crate::iam) use token_api::routes as token_routes;
