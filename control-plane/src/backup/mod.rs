//! A copy of everything, and its way back.
//!
//! A backup is a directory: every row of every table as text, every object as it lies in the object
//! store, sealed, and a manifest with the hashes of all, written last. It is the same whichever
//! database and store it was made from, and goes into either. It is made while the control plane
//! serves: rows are read in one snapshot, and objects never change; those that the snapshot refers
//! to are kept by the sweep for longer than a copy takes.
//!
//! The installation key is never part of it: who has the backup alone can read no state. That makes
//! the key the one thing to keep elsewhere.
//!
//! Decided against the databases' own tools: a file copied by `VACUUM INTO` and a `pg_dump` are two
//! formats, each without the objects, and neither leads from the one database to the other.

mod error;
mod files;
mod manifest;
mod restore;
mod save;
mod verify;

pub use error::BackupError;
pub use files::SmallFiles;
pub use manifest::Manifest;
pub use restore::restore;
pub use save::save;
pub use verify::{Verified, verify};
