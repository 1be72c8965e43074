//! Identity providers: where people of an account come from besides its local users.
//!
//! Decides: which providers an account has, who somebody is to one of them, which teams their groups
//! stand for, and whether members must come that way. Leaves to others: speaking to a provider
//! (`login`). An external identity is (account, provider, subject) and never an address, so that no
//! account's provider can speak for a user of another; what a provider says changes its own account's
//! membership and nothing else.

pub(in crate::iam) mod api;
mod attributes;
mod error;
mod input;
mod mapping_store;
mod model;
mod people;
mod people_store;
mod policy;
mod policy_store;
mod service;
mod store;
mod verification;

pub(in crate::iam) use error::IdentityError;
pub(in crate::iam) use model::{OidcSettings, Provider, Settings};
pub(in crate::iam) use people::{Asserted, Refused, free_name, join_teams, link, sign_in};
pub(in crate::iam) use service::{load, offered, secret_of, speak_to};
pub(in crate::iam) use verification::{complete, redeem};
