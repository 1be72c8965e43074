//! Streams: an account's records are sent to where it wants them, as they are sealed.
//!
//! Each stream keeps the place in the chain up to which everything has arrived. What can't be
//! delivered is tried again, in order, until it can: so everything arrives at least once, and a
//! record may arrive twice. What arrives are the lines of an export, which `terrane audit verify`
//! proves: a stream is also the copy that tampering with the database is found with.

pub(super) mod api;
mod attributes;
mod bucket;
mod deliver;
mod model;
mod service;
mod store;
mod webhook;

pub use deliver::deliver_due;
