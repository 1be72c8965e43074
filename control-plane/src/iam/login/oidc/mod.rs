//! OpenID Connect, as a relying party: authorization code with PKCE, nonce and state.
//!
//! Everything that is fetched goes through the one guarded client, because a tenant has named the
//! issuer and the issuer names the rest. What is believed is the issuer's signature, its name, our
//! client id and our nonce; an answer for one provider is worth nothing at another.

mod cache;
mod error;
mod exchange;
mod id_token;
mod metadata;
#[cfg(test)]
mod tests;

pub use cache::SignInCache;
pub(super) use error::OidcError;
pub(super) use exchange::{Answer, identify};
pub(super) use metadata::{authorization_url, logout_url};
