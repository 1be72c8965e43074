//! Logs of a phase, as two append-only streams: the text that people read and terraform's JSON
//! lines.
//!
//! Both are pure functions of the raw output that the supervisor writes: header, rendering,
//! masking, in that order, independent of how the output arrived in chunks. So the raw output on
//! disk *is* the spool: after a restart or a lost connection the stream is made again up to the
//! offset that the control plane acknowledged, and goes on from there. Nothing more is written to
//! disk, so a full disk does not break a log.

mod dump;
pub mod mask;
pub mod script;
pub mod source;
pub mod upload;
