//! The control plane: state, runs, queue, gates and the API in front of them.

pub mod clock;
pub mod config;
pub mod serve;
pub mod supervise;
