//! What a listing of the store finds.

use chrono::{DateTime, Utc};
use domain::ids::AccountId;
use object_store::ObjectMeta;
use object_store::path::Path;

use crate::meta::BlobContext;

/// An object that lies in the store, whether or not a row refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobEntry {
    pub blob: BlobContext,
    pub stored_size: u64,
    /// By the store's clock.
    pub written_at: DateTime<Utc>,
}

impl BlobEntry {
    /// Nothing for what isn't ours.
    pub(crate) fn read(account: &AccountId, found: &ObjectMeta) -> Option<Self> {
        let mut parts = found.location.parts();
        let owner = parts.next()?;
        let (kind, id) = (parts.next()?, parts.next()?);
        if owner.as_ref() != account.as_str() || parts.next().is_some() {
            return None;
        }
        let kind = kind.as_ref().parse().ok()?;
        let id = id.as_ref().parse().ok()?;
        let blob = BlobContext {
            account: account.clone(),
            kind,
            id,
        };
        Some(Self {
            blob,
            stored_size: found.size,
            written_at: found.last_modified,
        })
    }
}

/// `ACCOUNT/KIND/ID`.
pub(crate) fn path_of(blob: &BlobContext) -> Path {
    Path::from_iter([blob.account.as_str(), blob.kind.as_str(), blob.id.as_str()])
}
