//! `terraform login`: OAuth 2 authorization code with PKCE, behind a plain sign-in page.
//!
//! The page asks for name and password and says what is being approved; there is no session, so
//! nothing stays signed in. The CLI gets an ordinary API token of the user. Flow and parameters: TFE
//! contract, section 1.4; RFC 6749 and RFC 7636.
//!
//! Decided against: a session cookie with a separate approval page (one more thing to steal, for a
//! page that is seen once per machine), and the password grant (the CLI would see the password).

mod api;
mod csrf;
mod error;
mod page;
mod request;
mod service;
mod store;
#[cfg(test)]
mod tests;
mod throttle;

pub use api::routes;
