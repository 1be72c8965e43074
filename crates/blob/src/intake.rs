//! The work on the bytes of a put: hashes, compression, encryption.

use domain::Secret;
use md5::Md5;
use sha2::{Digest, Sha256};
use vault::DataKey;
use vault::chunks::Encoder;

use crate::error::{Error, Result};
use crate::meta::{BlobContext, BlobMeta};

/// Smaller pieces aren't worth the way to another thread.
const INLINE_LIMIT: usize = 64 * 1024;

/// Takes plaintext in, has sealed bytes ready in `out`.
pub(crate) struct Intake {
    key: vault::KeyId,
    encoder: Encoder,
    sha256: Sha256,
    md5: Md5,
    pub(crate) out: Vec<u8>,
}

impl Intake {
    pub(crate) fn new(key: &DataKey, blob: &BlobContext) -> Self {
        let mut out = Vec::new();
        let encoder = Encoder::new(key, &blob.vault(), &mut out);
        Self {
            key: key.id(),
            encoder,
            sha256: Sha256::new(),
            md5: Md5::new(),
            out,
        }
    }

    /// Works through a piece, on a thread for blocking work if it is large: a MiB takes about ten
    /// milliseconds, in which others want to run.
    pub(crate) async fn take(mut self, blob: &BlobContext, piece: Secret<Vec<u8>>) -> Result<Self> {
        if piece.expose().len() <= INLINE_LIMIT {
            self.absorb(blob, piece.expose())?;
            return Ok(self);
        }
        let blob = blob.clone();
        let work = move || self.absorb(&blob, piece.expose()).map(|()| self);
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|failed| {
                // Only a panic ends it early: nothing aborts it, and a runtime that shuts down drops us.
                std::panic::resume_unwind(failed.into_panic())
            })
    }

    /// Seals the end; all that is left is in the returned bytes.
    pub(crate) fn finish(mut self) -> (Vec<u8>, BlobMeta) {
        let sizes = self.encoder.finish(&mut self.out);
        let meta = BlobMeta {
            key: self.key,
            size: sizes.plaintext,
            stored_size: sizes.stored,
            sha256: self.sha256.finalize().into(),
            md5: self.md5.finalize().into(),
        };
        (self.out, meta)
    }

    fn absorb(&mut self, blob: &BlobContext, piece: &[u8]) -> Result<()> {
        self.sha256.update(piece);
        self.md5.update(piece);
        self.encoder
            .write(piece, &mut self.out)
            .map_err(|source| Error::of_vault(blob, source))
    }
}
