//! Large objects with their rows: states, plans, archives, finished logs.
//!
//! Decides: that a blob's row comes before its bytes, so that whatever dies in between leaves a row
//! that the [`sweep`] finds; that nothing is readable before it is whole; that an object lives as
//! long as a row of some slice refers to it. Leaves to others: what the objects are, who may see
//! them, and how they are stored and sealed (crate `blob`).
//!
//! The life of an object: [`put`] makes an orphan; [`own`], in the transaction that refers to it,
//! keeps it; [`release`] makes it an orphan again; the sweep deletes what has been one for long.

mod error;
mod kind;
mod limited;
mod object;
pub mod pipe;
mod put;
mod store;
mod sweep;
#[cfg(test)]
mod tests;

pub use error::ObjectError;
pub(crate) use kind::blob_kind;
pub use object::{Object, open, open_all};
pub use put::{Stored, describe, own, put, release};
pub use store::{Owned, all_owned};
pub use sweep::{Swept, remove_unfinished, sweep};
