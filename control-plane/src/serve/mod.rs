//! The listeners: HTTPS for everybody, plain HTTP where a proxy does TLS or on loopback in `dev`,
//! and the admin port.
//!
//! What a stranger may cost is bounded here, before any handler: connections at a time, the TLS
//! handshake, the head of a request. What a known caller may send is bounded by the routes.
//! Certificates are swapped while serving, because a restart for a certificate is a restart too
//! many.

mod admin;
mod certificate;
mod forwarded;
mod health;
mod limit;
mod listener;
mod metrics;

#[cfg(test)]
mod tests;

pub use admin::routes as admin_routes;
pub use certificate::{CertificateError, CertificateFiles, LiveCertificate};
pub use forwarded::believe_proxies;
pub use health::{Health, Probe};
pub use listener::{ListenError, Listener, ListenerLimits, Scheme};
pub use metrics::ConnectionMetrics;
