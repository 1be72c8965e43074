//! What a run can prove about itself to a cloud: a signed ID token (OpenID Connect), so that AWS,
//! Azure, Google, Vault or a cluster trust it without a stored secret.
//!
//! Decides: what a token says, who signs it and for how long a key is used. Each account is an issuer
//! of its own: equal names in two accounts can't be confused, whatever a trust policy compares.
//! Leaves to others: which runs get a token and for whom it is meant (`provider_configurations`), and
//! how it reaches the step (the runner).

pub mod api;
mod claims;
mod error;
mod keys;
mod store;
#[cfg(test)]
mod tests;
mod token;

pub use claims::{Named, Phase, RunFacts};
pub use error::RunIdentityError;
pub use keys::{ensure_key, rotate_due};
pub use token::issue;
