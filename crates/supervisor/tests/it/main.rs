//! The supervisor as a process, with the real terraform where states are concerned.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod cancel;
mod crash;
mod disk;
mod fixture;
mod http;
mod kill;
mod lifecycle;
mod sandbox;
mod terraform;
