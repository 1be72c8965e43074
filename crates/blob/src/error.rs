//! What can go wrong with an object.

use std::io;

use crate::meta::BlobContext;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the object store's settings can't be used: {reason}")]
    Settings { reason: String },
    #[error("the {} {} is missing from the object store", blob.kind, blob.id)]
    Missing { blob: BlobContext },
    /// Changed, cut short, in another one's place, or sealed with another key.
    #[error("the {} {} can't be opened", blob.kind, blob.id)]
    Corrupt {
        blob: BlobContext,
        source: vault::Error,
    },
    #[error("the {} {} has {size} bytes, more than the {limit} that may be read at once", blob.kind, blob.id)]
    TooLarge {
        blob: BlobContext,
        size: u64,
        limit: u64,
    },
    /// Whoever sent the content failed, not the store.
    #[error("the content of the {} {} broke off", blob.kind, blob.id)]
    Input {
        blob: BlobContext,
        source: io::Error,
    },
    #[error("the copy of the {} {} can't be written", blob.kind, blob.id)]
    Copy {
        blob: BlobContext,
        source: io::Error,
    },
    #[error("{action} in the object store failed")]
    Store {
        action: &'static str,
        source: object_store::Error,
    },
    #[error("removing unfinished files from the object store failed")]
    Leftovers { source: io::Error },
    #[error("the object store gave back something else than was written to it")]
    Unfaithful,
}

impl Error {
    /// Whether the disk of a local store is full.
    pub fn is_disk_full(&self) -> bool {
        let mut next: Option<&dyn std::error::Error> = Some(self);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<io::Error>()
                && error.kind() == io::ErrorKind::StorageFull
            {
                return true;
            }
            next = error.source();
        }
        false
    }

    /// Whether a store knows these keys not, or doesn't let them do this.
    pub fn is_refused(&self) -> bool {
        use object_store::Error::{PermissionDenied, Unauthenticated};
        matches!(
            self,
            Self::Store {
                source: PermissionDenied { .. } | Unauthenticated { .. },
                ..
            }
        )
    }

    /// Whether a store has no such bucket or object.
    pub fn is_absent(&self) -> bool {
        let absent = matches!(
            self,
            Self::Store {
                source: object_store::Error::NotFound { .. },
                ..
            }
        );
        absent || matches!(self, Self::Missing { .. })
    }

    pub(crate) fn of_store(action: &'static str) -> impl Fn(object_store::Error) -> Self {
        move |source| Self::Store { action, source }
    }

    /// For reading an object that should be there.
    pub(crate) fn of_read(blob: &BlobContext, source: object_store::Error) -> Self {
        if matches!(source, object_store::Error::NotFound { .. }) {
            Self::Missing { blob: blob.clone() }
        } else {
            Self::Store {
                action: "reading",
                source,
            }
        }
    }

    pub(crate) fn of_vault(blob: &BlobContext, source: vault::Error) -> Self {
        Self::Corrupt {
            blob: blob.clone(),
            source,
        }
    }

    pub(crate) fn too_short(blob: &BlobContext) -> Self {
        let what = "an object that was cut short";
        Self::of_vault(blob, vault::Error::Format { what })
    }
}
