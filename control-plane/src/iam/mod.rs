//! Identity and access: who a token belongs to, and what its owner may do.
//!
//! Decides: whether an actor may do something to an object ([`authorize`], the one door every use
//! case passes), users, teams, tokens and signing in. Leaves to others: what the objects are. Roles are two
//! for now; finer ones are sets of the same permissions behind the same door.

pub mod api;
mod attributes;
mod authenticate;
mod authorize;
mod bootstrap;
mod error;
mod identity;
mod links;
pub mod login;
mod memberships;
mod model;
mod password;
mod run_tokens;
pub mod scim;
mod second_factor;
mod secret_token;
mod service;
mod sessions;
mod store;
pub mod teams;
#[cfg(test)]
mod tests;

pub use attributes::{TokenAttributes, token as token_resource};
pub use authenticate::authenticate;
pub use authorize::{Authorized, Denied, Target, authorize, role_allows};
pub use bootstrap::{BootstrapInput, Bootstrapped, bootstrap, bootstrap_in};
pub use error::IamError;
pub use links::password_link;
pub use login::SignInCache;
pub use model::{ApiToken, Member, NewToken, NewUser};
pub use run_tokens::{issue_run_token, revoke_job_tokens};
pub use secret_token::{TokenText, hash_token, is_well_formed};
pub use service::*;
