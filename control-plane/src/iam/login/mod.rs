//! `terraform login`: OAuth 2 authorization code with PKCE, behind a plain sign-in page.
//!
//! The page asks for name and password and says what is being approved; a browser that has signed in
//! lately is asked for consent only. The CLI gets an ordinary API token of the user. Flow and
//! parameters: TFE contract, section 1.4; RFC 6749 and RFC 7636.
//!
//! Decided against the password grant (the CLI would see the password), and against consent without
//! a click (whatever opens a browser could get a token).

mod api;
mod cookies;
mod csrf;
mod error;
mod page;
mod request;
mod service;
mod session;
mod store;
#[cfg(test)]
mod tests;
mod throttle;

pub use api::routes;
