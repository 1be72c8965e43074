//! Writing an object while its content is still coming in.
//!
//! A small object is one request. A larger one is uploaded in parts of equal size (some S3 servers
//! insist on that), one under way while the next is made. It becomes visible with the last
//! request; on an error before that the parts are taken back. What a killed process leaves behind
//! is invisible: a local file beside the object, or an unfinished upload in the bucket, for which
//! the bucket wants a lifecycle rule.

use std::pin::pin;
use std::sync::Arc;

use domain::Secret;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinSet;
use vault::DataKey;

use crate::error::{Error, Result};
use crate::intake::Intake;
use crate::meta::{BlobContext, BlobMeta};

/// Plaintext worked on at a time.
const PIECE_SIZE: u64 = 1024 * 1024;
/// Sealed bytes of a part: S3 wants 5 MiB or more, and 10,000 parts at most.
pub const PART_SIZE: usize = 6 * 1024 * 1024;

pub(crate) async fn put(
    store: &Arc<dyn ObjectStore>,
    path: &Path,
    key: &DataKey,
    blob: &BlobContext,
    content: impl AsyncRead,
) -> Result<BlobMeta> {
    let mut content = pin!(content);
    let mut intake = Intake::new(key, blob);
    let mut upload: Option<Upload> = None;
    loop {
        let mut piece = Vec::new();
        let read = (&mut content)
            .take(PIECE_SIZE)
            .read_to_end(&mut piece)
            .await;
        let taken = match read {
            Ok(0) => break,
            Ok(_) => intake.take(blob, Secret::new(piece)).await,
            Err(source) => Err(Error::Input {
                blob: blob.clone(),
                source,
            }),
        };
        intake = match taken {
            Ok(intake) => intake,
            Err(error) => return Err(take_back(upload, error).await),
        };
        while intake.out.len() >= PART_SIZE {
            let rest = intake.out.split_off(PART_SIZE);
            let part = std::mem::replace(&mut intake.out, rest);
            let sent = match &mut upload {
                Some(upload) => upload.send(part).await,
                None => {
                    upload
                        .insert(Upload::begin(store, path).await?)
                        .send(part)
                        .await
                }
            };
            if let Err(error) = sent {
                return Err(take_back(upload, error).await);
            }
        }
    }
    let (rest, meta) = intake.finish();
    match upload {
        None => {
            store
                .put(path, rest.into())
                .await
                .map_err(Error::of_store("writing"))?;
        }
        Some(mut upload) => {
            if let Err(error) = upload.complete(rest).await {
                return Err(take_back(Some(upload), error).await);
            }
        }
    }
    Ok(meta)
}

/// An upload in parts.
struct Upload {
    parts: Box<dyn MultipartUpload>,
    /// The part under way; ends with us.
    under_way: JoinSet<object_store::Result<()>>,
}

impl Upload {
    async fn begin(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<Self> {
        let parts = store
            .put_multipart(path)
            .await
            .map_err(Error::of_store("writing"))?;
        Ok(Self {
            parts,
            under_way: JoinSet::new(),
        })
    }

    /// Sends a part as soon as the one before has arrived.
    async fn send(&mut self, part: Vec<u8>) -> Result<()> {
        self.arrived().await?;
        self.under_way.spawn(self.parts.put_part(part.into()));
        Ok(())
    }

    async fn complete(&mut self, rest: Vec<u8>) -> Result<()> {
        self.send(rest).await?;
        self.arrived().await?;
        self.parts
            .complete()
            .await
            .map_err(Error::of_store("writing"))?;
        Ok(())
    }

    async fn arrived(&mut self) -> Result<()> {
        while let Some(done) = self.under_way.join_next().await {
            done.map_err(object_store::Error::from)
                .and_then(|stored| stored)
                .map_err(Error::of_store("writing"))?;
        }
        Ok(())
    }
}

async fn take_back(upload: Option<Upload>, error: Error) -> Error {
    if let Some(mut upload) = upload {
        upload.under_way.shutdown().await;
        if let Err(error) = upload.parts.abort().await {
            tracing::warn!(%error, "an unfinished upload stays in the object store, invisible");
        }
    }
    error
}
