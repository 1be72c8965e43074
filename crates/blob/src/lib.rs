//! Large objects: state, plans, archives, finished logs. Compressed and encrypted here, kept in a
//! local directory or an S3 bucket.
//!
//! Everything streams: a put holds a few MiB however large the object is, a read fetches the
//! chunks it needs. An object is written once under a random id and never changed, so readers need
//! no locks, and a put that fails leaves nothing that a reader could find. Hashes and sizes are of
//! the plaintext. The stored form is the chunk format of `vault`.
//!
//! Rows refer to objects, never the other way: write the object, then the row. What no row refers
//! to is an orphan, found with [`BlobStore::list`] and deleted once it is old enough that no
//! transaction can still be about to refer to it.
//!
//! Decided against: addressing by content (two tenants' equal bytes must not meet, and deleting
//! would need counting), and asking the object store to encrypt (it would hold the keys).

mod copy;
mod entry;
mod error;
mod fetch;
mod foreign;
mod intake;
mod kind;
mod leftovers;
mod meta;
mod put;
mod reader;
mod s3;
mod store;

pub use copy::StoredForm;
pub use entry::BlobEntry;
pub use error::{Error, Result};
pub use foreign::ForeignBucket;
pub use kind::BlobKind;
pub use meta::{BlobContext, BlobMeta};
pub use reader::BlobReader;
pub use s3::S3Settings;
pub use store::BlobStore;

#[doc(hidden)]
pub use put::PART_SIZE;
