//! Identity and access: who a token belongs to, and what its owner may do.
//!
//! Decides: whether an actor may do something to an object ([`authorize`], the one door every use
//! case passes), users, teams, roles, grants, tokens and signing in. Leaves to others: what the
//! objects are.

pub mod api;
mod attributes;
mod authenticate;
mod authorize;
mod bootstrap;
mod effective;
mod error;
mod explain;
mod grants;
mod identity;
mod links;
pub mod login;
mod memberships;
mod model;
mod password;
mod roles;
mod rules;
mod run_tokens;
pub mod scim;
mod second_factor;
mod secret_token;
mod service;
mod service_accounts;
mod sessions;
mod store;
pub mod teams;
#[cfg(test)]
mod tests;
mod tokens;

pub use authenticate::authenticate;
#[cfg(test)]
pub(crate) use authorize::RUN_PERMISSIONS;
pub use authorize::{Authorized, Denied, Target, authorize, authorize_filtered, authorize_list};
pub use bootstrap::{BootstrapInput, Bootstrapped, bootstrap, bootstrap_in};
pub use effective::{Grants, Place, Visible};
pub use error::IamError;
pub use grants::{Subject, count_administrators, effective, granted_actor};
pub use links::password_link;
pub use login::SignInCache;
pub use model::{Member, NewUser};
pub use run_tokens::{issue_run_token, revoke_job_tokens};
pub use secret_token::{TokenText, hash_token, is_well_formed};
pub use service::*;
pub use tokens::{
    ApiToken, NewToken, TokenAttributes, TokenOwner, create_token, delete_token, insert_token,
    read_token, token_resource,
};
