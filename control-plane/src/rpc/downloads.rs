//! What a job needs from us: its configuration, the current state, the planned working tree.

use domain::ids::BlobId;
use futures::{StreamExt, TryStreamExt, stream};
use protocol::v1::{DownloadChunk, DownloadRequest};
use tonic::Status;

use super::messages::{epoch, job_id};
use super::service::{BoxStream, Caller};
use super::status::status_of;
use crate::app::App;
use crate::objects::{self, Object};
use crate::runs::jobs::{self, OfRun};
use crate::runs::{self, RunError, configuration};
use crate::state;

pub(super) async fn open(
    app: &App,
    caller: &Caller,
    asked: DownloadRequest,
) -> Result<BoxStream<DownloadChunk>, Status> {
    let (id, epoch) = (job_id(&asked.job_id)?, epoch(asked.epoch)?);
    let mut tx = app
        .db
        .begin()
        .await
        .map_err(|error| status_of(RunError::from(error)))?;
    let job = jobs::check_lease(&mut tx, &caller.tenant, &caller.runner, &id, epoch)
        .await
        .map_err(status_of)?;
    drop(tx);
    let of = job.owner.need_run().map_err(status_of)?;
    let found = match asked.kind.as_str() {
        "configuration" => configuration_of(app, caller, of).await.map(Some),
        "plan-archive" => plan_archive_of(app, caller, of).await.map(Some),
        "state" => state::open_current(app, &caller.tenant, &of.workspace_id)
            .await
            .map(|found| found.map(|(_, object)| object))
            .map_err(RunError::from),
        other => {
            return Err(Status::invalid_argument(format!(
                "{other:?} can't be downloaded"
            )));
        }
    };
    Ok(match found.map_err(status_of)? {
        Some(object) => chunks(&object, asked.offset),
        // No state yet: one empty chunk says so.
        None => Box::pin(stream::iter([Ok(DownloadChunk::default())])),
    })
}

async fn open_blob(app: &App, caller: &Caller, blob: Option<BlobId>) -> Result<Object, RunError> {
    let blob = blob.ok_or(RunError::NotFound)?;
    Ok(objects::open(app, &caller.tenant, &blob).await?)
}

async fn configuration_of(app: &App, caller: &Caller, of: &OfRun) -> Result<Object, RunError> {
    let mut conn = app.db.acquire().await?;
    let run = runs::find(&mut conn, &caller.tenant, &of.run_id)
        .await?
        .ok_or(RunError::NotFound)?;
    let version = configuration::find(&mut conn, &caller.tenant, &run.configuration_version_id)
        .await?
        .ok_or(RunError::NotFound)?;
    drop(conn);
    open_blob(app, caller, version.blob_id).await
}

async fn plan_archive_of(app: &App, caller: &Caller, of: &OfRun) -> Result<Object, RunError> {
    let mut conn = app.db.acquire().await?;
    let run = runs::find(&mut conn, &caller.tenant, &of.run_id)
        .await?
        .ok_or(RunError::NotFound)?;
    drop(conn);
    open_blob(app, caller, run.plan_archive).await
}

/// The object from `from` on, the head on the first chunk.
fn chunks(object: &Object, from: u64) -> BoxStream<DownloadChunk> {
    let head = DownloadChunk {
        size: object.size(),
        sha256: hex::decode(object.sha256()).unwrap_or_default().into(),
        offset: from,
        ..DownloadChunk::default()
    };
    let mut at = from;
    let data = object
        .stream_from(from)
        .map_ok(move |data| {
            let offset = at;
            at += data.len() as u64;
            DownloadChunk {
                offset,
                data,
                ..DownloadChunk::default()
            }
        })
        .map_err(|error| {
            tracing::error!(%error, "an object could not be read to its end");
            Status::unavailable("the object could not be read to its end; ask again")
        });
    Box::pin(stream::iter([Ok(head)]).chain(data))
}
