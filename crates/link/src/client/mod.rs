//! The runner's side: finds a way to the gateway and keeps to it.
//!
//! QUIC and TCP race; the first that gets its Hello *answered* wins, because in TLS 1.3 a client
//! is "connected" before the server has judged its certificate. What won is remembered per network.
//! An authentication or version refusal by the gateway is final: the other transport would be told
//! the same.

mod address;
mod attempt;
mod channel;
mod config;
mod connection;
mod connector;
mod dial_quic;
mod dial_tcp;
mod dialer;
mod error;
mod health;
mod memory;
mod plan;
mod probe;
mod proxy;
mod race;
mod session;
mod streams;
mod verdict;

pub use channel::{Channel, EnrollmentClient, RunnerClient};
pub use config::{ConnectorConfig, TransportChoice};
pub use connection::{Connection, Enrolling};
pub use connector::Connector;
pub use error::{ConnectError, Refusal};
