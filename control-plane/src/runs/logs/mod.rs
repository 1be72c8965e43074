//! A run's logs: two append-only streams per phase, the text that people and `backend "remote"` read
//! and the JSON lines that `cloud {}` renders. Live chunks are small sealed rows; when the phase has
//! ended they become one blob.
//!
//! On the wire a log is its content between STX and ETX, with offsets that count both (TFE contract,
//! section 2.7). The marks are added here, when it is read: the end mark and the phase's final status
//! become visible in one transaction.

mod compact;
mod marked;
mod service;
mod store;

pub use compact::pass as compact;
pub use service::*;
