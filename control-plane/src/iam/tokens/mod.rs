//! API tokens: of users, service accounts, teams and environments. Stored as hashes, shown once, found
//! by their hash, so that no comparison takes longer for a better guess.

pub(super) mod api;
mod attributes;
mod model;
mod owner;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use attributes::{TokenAttributes, token as token_resource};
pub use model::{ApiToken, NewToken, TokenOwner};
pub(super) use owner::environment_permissions;
pub(super) use service::record_token;
pub use service::{create_token, delete_token, insert_token, read_token};
