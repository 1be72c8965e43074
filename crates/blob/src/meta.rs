//! Which object, and what is known of it once it is written.

use domain::ids::{AccountId, BlobId};
use vault::{Context, KeyId};

use crate::kind::BlobKind;

/// Names an object, and is what its encryption is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobContext {
    pub account: AccountId,
    pub kind: BlobKind,
    pub id: BlobId,
}

impl BlobContext {
    pub(crate) fn vault(&self) -> Context<'_> {
        Context {
            account: self.account.as_str(),
            kind: self.kind.as_str(),
            id: self.id.as_str(),
        }
    }
}

/// What to keep in the row that refers to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobMeta {
    /// The data key it is sealed with; needed to open it.
    pub key: KeyId,
    /// Bytes of plaintext.
    pub size: u64,
    /// Bytes in the object store.
    pub stored_size: u64,
    /// Of the plaintext.
    pub sha256: [u8; 32],
    /// Of the plaintext; Terraform's protocol asks for it.
    pub md5: [u8; 16],
}

impl BlobMeta {
    pub fn sha256_hex(&self) -> String {
        hex::encode(self.sha256)
    }

    pub fn md5_hex(&self) -> String {
        hex::encode(self.md5)
    }
}
