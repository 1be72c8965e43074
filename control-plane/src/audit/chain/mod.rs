//! The hash chain of each account's audit records.
//!
//! Records are written without a place in it: a chain inside the transaction would make all writes of
//! an account wait for each other. A sealer gives each its number and hash soon after ([`seal_new`]).
//! What becomes visible late, because its transaction was long, gets a later place.
//!
//! The hash of a record is the SHA-256 of its canonical JSON (RFC 8785), which holds every column and
//! the hash of the record before it. Whoever changes, removes or moves a record has to make every
//! later hash anew; whoever has kept one of those elsewhere finds it out. [`verify`] needs nothing but
//! an export.
//!
//! Decided against: signing each record (the key would lie beside the rows), and a table of seals
//! apart from the records (a second thing to keep in step).

pub(super) mod api;
mod attributes;
mod entry;
mod retention;
mod seal;
mod service;
pub(super) mod store;
mod verify;

pub use entry::Entry;
pub(super) use entry::digest_of;
pub use retention::remove_old;
pub(super) use seal::seal_account;
pub use seal::seal_new;
pub use store::Chain;
pub use verify::{Proof, VerifyError, verify};
