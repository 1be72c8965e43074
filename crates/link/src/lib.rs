//! Mutual TLS between the control plane and its runners: the runner CA, the join token, and one
//! tonic service over QUIC and over TCP.
//!
//! The framing is HTTP/2 inside one QUIC bidirectional stream per concern (control, each running
//! job, bulk), so that a state upload never delays a heart-beat, and the same tonic service over
//! TCP + TLS where UDP does not get through. Decided against HTTP/3 crates (they leak handlers and
//! panic when a response stream is dropped) and against one multiplexed HTTP/2 connection (bulk
//! data holds up everything else by hundreds of milliseconds).
//!
//! Three rules hold everywhere in this crate:
//!
//! * TLS 1.3 only, no resumption, no tickets, no 0-RTT: a resumed session skips the check of the
//!   client's certificate, and with it expiry and revocation.
//! * The crypto provider is always named; the process-wide default is never used.
//! * No task is detached: a future owns its tasks and they die with it.

pub mod backoff;
pub mod ca;
pub mod client;
pub mod close;
pub mod join;
mod pipe;
mod quic;
pub mod server;
mod switch;
pub mod tls;
mod transport;
mod windows;

pub use transport::Transport;
