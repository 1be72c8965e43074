//! The link end to end, in one process: a gateway with stub services and real connectors, over both
//! transports.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod certificates;
mod documents;
mod enrolment;
mod fallback;
mod gateway;
mod limits;
mod network;
mod proxy;
mod restart;
mod stub;
mod tls;
mod traffic;
