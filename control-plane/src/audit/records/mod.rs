//! Looking at audit records: search, TFE's audit trail, and exports.

pub(super) mod api;
mod attributes;
mod export;
mod export_api;
mod filter;
mod lines;
mod service;
mod store;
mod table;
mod trail;
mod trail_api;

pub(super) use lines::{Lines, lines_after};
