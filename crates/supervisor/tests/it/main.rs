//! The supervisor as a process, with the real terraform where states are concerned.

mod cancel;
mod crash;
mod disk;
mod fixture;
mod http;
mod kill;
mod lifecycle;
mod sandbox;
mod terraform;
