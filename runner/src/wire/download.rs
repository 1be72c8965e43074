//! One object on its way down: resumed by offset, checked by its hash.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::v1::{DownloadRequest, Job};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tonic::Status;

use super::artefact::hash;
use super::{Lane, Refused, Wire};

/// What has been downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    pub path: PathBuf,
    pub size: u64,
}

/// Why an object did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    #[error("the {kind} could not be downloaded: {reason}")]
    Refused { kind: &'static str, reason: Refused },
    #[error("the {kind} could not be stored in {path}")]
    Write {
        kind: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("the {kind} arrived damaged: its hash is not the expected one")]
    Damaged { kind: &'static str },
}

/// Downloads what `job` needs of `kind` to `path`, which must not exist.
///
/// # Errors
/// [`DownloadError`].
pub async fn download(
    wire: &Wire,
    job: &Job,
    kind: &'static str,
    path: &Path,
) -> Result<Downloaded, DownloadError> {
    let write = |source| DownloadError::Write {
        kind,
        path: path.to_owned(),
        source,
    };
    let expected = wire
        .call(Lane::Bulk, |mut client| async move {
            let mut file = OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(path)
                .await
                .map_err(unwritable)?;
            let offset = file.metadata().await.map_err(unwritable)?.len();
            let request = DownloadRequest {
                job_id: job.id.clone(),
                epoch: job.epoch,
                kind: kind.to_owned(),
                offset,
            };
            let chunks = client.download(request).await?.into_inner();
            receive(chunks, &mut file, offset).await
        })
        .await
        .map_err(|reason| DownloadError::Refused { kind, reason })?;
    let stored = File::open(path).await.map_err(write)?.into_std().await;
    let (size, sha256) = hash(Arc::new(stored)).await.map_err(write)?;
    if size != expected.size || (!expected.sha256.is_empty() && sha256 != expected.sha256[..]) {
        return Err(DownloadError::Damaged { kind });
    }
    Ok(Downloaded {
        path: path.to_owned(),
        size,
    })
}

struct Expected {
    size: u64,
    sha256: bytes::Bytes,
}

async fn receive(
    mut chunks: tonic::Streaming<protocol::v1::DownloadChunk>,
    file: &mut File,
    mut at: u64,
) -> Result<Expected, Status> {
    let mut expected = None;
    while let Some(chunk) = chunks.message().await? {
        if expected.is_none() {
            expected = Some(Expected {
                size: chunk.size,
                sha256: chunk.sha256.clone(),
            });
        }
        if chunk.data.is_empty() {
            continue;
        }
        if chunk.offset != at {
            return Err(Status::data_loss(format!(
                "expected offset {at}, got {}",
                chunk.offset
            )));
        }
        file.write_all(&chunk.data).await.map_err(unwritable)?;
        at += chunk.data.len() as u64;
    }
    file.flush().await.map_err(unwritable)?;
    let expected = expected.ok_or_else(|| Status::unavailable("the download was empty"))?;
    if at < expected.size {
        return Err(Status::unavailable("the download ended early"));
    }
    Ok(expected)
}

fn unwritable(error: io::Error) -> Status {
    Status::data_loss(format!("the file could not be written: {error}"))
}
