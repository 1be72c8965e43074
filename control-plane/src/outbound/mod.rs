//! The one HTTP client for addresses that tenants name.
//!
//! Decides: where the control plane may be sent, so that nobody reads its own network through it. Only
//! `https`, no redirects, and only addresses of the public internet, unless the operator has allowed a
//! network (`outbound.allowed_networks`). What a name resolves to is judged at the moment of the
//! connection, so that an answer which changes between two lookups gains nothing. Proxies of the
//! environment are left aside: behind one, nobody knows where a request goes.
//!
//! Decided against a list of forbidden names: names are free, addresses are not.

mod client;
mod guard;

pub use client::{Outbound, OutboundError, TrustError};
pub use guard::Guard;
