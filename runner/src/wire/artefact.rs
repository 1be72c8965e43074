//! One artefact on its way up: resumable by offset, checked by its hash.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use protocol::MAX_DATA_CHUNK;
use protocol::v1::{UploadChunk, UploadHead, UploadOffsetRequest, UploadResponse};
use sha2::{Digest, Sha256};

use super::{Lane, Refused, Wire};

/// What is uploaded and how it is labelled.
#[derive(Debug, Clone)]
pub struct Artefact {
    file: Arc<File>,
    head: UploadHead,
}

/// Why an artefact did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum ArtefactError {
    #[error("the {kind} could not be read for upload")]
    Read { kind: String, source: io::Error },
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl Artefact {
    /// An open file to upload under `head`, whose size, hash and upload id are filled in. The file
    /// must not be written to any more; that another one takes its name does no harm.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn of_file(file: File, mut head: UploadHead) -> Result<Self, ArtefactError> {
        let file = Arc::new(file);
        let (size, sha256) =
            hash(Arc::clone(&file))
                .await
                .map_err(|source| ArtefactError::Read {
                    kind: head.kind.clone(),
                    source,
                })?;
        head.size = size;
        // The same content under the same job is the same upload, also after a restart.
        head.upload_id = format!("{}-{}", head.kind, hex::encode(&sha256[..16]));
        if head.recovery {
            head.upload_id.push_str("-r");
        }
        head.sha256 = Bytes::copy_from_slice(&sha256);
        Ok(Self { file, head })
    }

    pub fn head(&self) -> &UploadHead {
        &self.head
    }
}

/// Uploads until the control plane has it all.
///
/// # Errors
/// [`ArtefactError`].
pub async fn upload(wire: &Wire, artefact: &Artefact) -> Result<UploadResponse, ArtefactError> {
    let head = &artefact.head;
    tracing::debug!(job = %head.job_id, kind = %head.kind, size = head.size, "uploading");
    let response = wire
        .call(Lane::Bulk, |mut client| async move {
            let question = UploadOffsetRequest {
                job_id: head.job_id.clone(),
                epoch: head.epoch,
                upload_id: head.upload_id.clone(),
            };
            let offset = client
                .upload_offset(question)
                .await?
                .into_inner()
                .offset
                .min(head.size);
            let chunks = chunks(Arc::clone(&artefact.file), head.clone(), offset);
            Ok(client.upload(chunks).await?.into_inner())
        })
        .await?;
    tracing::info!(
        job = %head.job_id, kind = %head.kind, size = head.size,
        disposition = %response.disposition, "uploaded"
    );
    Ok(response)
}

struct Reader {
    file: Arc<File>,
    head: Option<UploadHead>,
    offset: u64,
    left: u64,
}

/// The rest of the file from `offset`; the first chunk carries the head even if nothing is left.
fn chunks(
    file: Arc<File>,
    head: UploadHead,
    offset: u64,
) -> impl Stream<Item = UploadChunk> + Send {
    let left = head.size - offset;
    let reader = Reader {
        file,
        head: Some(head),
        offset,
        left,
    };
    futures::stream::unfold(reader, |mut reader| async move {
        if reader.left == 0 && reader.head.is_none() {
            return None;
        }
        let want = usize::try_from(reader.left)
            .unwrap_or(usize::MAX)
            .min(MAX_DATA_CHUNK);
        let offset = reader.offset;
        let data = match read_at(Arc::clone(&reader.file), offset, want).await {
            Ok(data) => data,
            Err(error) => {
                // The stream ends early; the server sees that the size is not reached.
                tracing::warn!(%error, "an upload ends early: its file could not be read");
                return None;
            }
        };
        reader.offset += want as u64;
        reader.left -= want as u64;
        let chunk = UploadChunk {
            head: reader.head.take(),
            offset,
            data,
        };
        Some((chunk, reader))
    })
}

async fn read_at(file: Arc<File>, offset: u64, length: usize) -> io::Result<Bytes> {
    blocking(move || {
        let mut data = vec![0; length];
        file.read_exact_at(&mut data, offset)?;
        Ok(data.into())
    })
    .await
}

/// Size and SHA-256 of a file.
///
/// # Errors
/// The file system's own.
pub(super) async fn hash(file: Arc<File>) -> io::Result<(u64, [u8; 32])> {
    blocking(move || {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 256 * 1024];
        let mut size = 0;
        loop {
            let count = file.read_at(&mut buffer, size)?;
            if count == 0 {
                return Ok((size, hasher.finalize().into()));
            }
            hasher.update(&buffer[..count]);
            size += count as u64;
        }
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}
