//! Copying an object as it is stored, from one store to another: for backups.
//!
//! It stays sealed: whoever copies needs no key and learns nothing. The hash is of the stored bytes,
//! so that a copy can be checked without a key too.

use futures::TryStreamExt;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

use crate::error::{Error, Result};
use crate::meta::BlobContext;

/// The stored form of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredForm {
    /// Bytes.
    pub size: u64,
    pub sha256: [u8; 32],
}

/// Reads an object through; `each` gets its stored bytes piece by piece.
async fn read(
    store: &Arc<dyn ObjectStore>,
    path: &Path,
    blob: &BlobContext,
    mut into: Option<&mut BufWriter>,
) -> Result<StoredForm> {
    let found = store
        .get(path)
        .await
        .map_err(|source| Error::of_read(blob, source))?;
    let mut pieces = found.into_stream();
    let (mut size, mut sha256) = (0, Sha256::new());
    while let Some(piece) = pieces
        .try_next()
        .await
        .map_err(|source| Error::of_read(blob, source))?
    {
        size += piece.len() as u64;
        sha256.update(&piece);
        if let Some(writer) = into.as_deref_mut() {
            writer
                .write_all(&piece)
                .await
                .map_err(|source| copying(blob, source))?;
        }
    }
    Ok(StoredForm {
        size,
        sha256: sha256.finalize().into(),
    })
}

pub(crate) async fn stored_form(
    store: &Arc<dyn ObjectStore>,
    path: &Path,
    blob: &BlobContext,
) -> Result<StoredForm> {
    read(store, path, blob, None).await
}

/// The copy becomes visible when all of it is there.
pub(crate) async fn copy(
    from: &Arc<dyn ObjectStore>,
    to: &Arc<dyn ObjectStore>,
    path: &Path,
    blob: &BlobContext,
) -> Result<StoredForm> {
    let mut writer = BufWriter::new(Arc::clone(to), path.clone());
    match read(from, path, blob, Some(&mut writer)).await {
        Ok(form) => {
            writer
                .shutdown()
                .await
                .map_err(|source| copying(blob, source))?;
            Ok(form)
        }
        Err(error) => {
            // Nothing to take back when too little came for a first request.
            let _ = writer.abort().await;
            Err(error)
        }
    }
}

fn copying(blob: &BlobContext, source: std::io::Error) -> Error {
    Error::Copy {
        blob: blob.clone(),
        source,
    }
}
