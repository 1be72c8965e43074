//! Log chunks from runners, acknowledged as they are stored.

use std::sync::Arc;

use futures::stream;
use protocol::v1::{LogAck, LogChunk, LogOffsetRequest, LogOffsetResponse};
use tonic::{Status, Streaming};

use super::messages::{epoch, job_id};
use super::service::{BoxStream, Caller};
use super::status::{status_of, unreadable};
use crate::app::App;
use crate::runs::logs::{self, LogAddress, Stream};

fn stream_of(word: &str) -> Result<Stream, Status> {
    Stream::read(word).ok_or_else(|| unreadable("the name of the log stream"))
}

pub(super) async fn offset(
    app: &App,
    caller: &Caller,
    asked: LogOffsetRequest,
) -> Result<LogOffsetResponse, Status> {
    let job = job_id(&asked.job_id)?;
    let address = LogAddress {
        tenant: &caller.tenant,
        runner: &caller.runner,
        job: &job,
        epoch: epoch(asked.epoch)?,
        stream: stream_of(&asked.stream)?,
    };
    let end = logs::end_of(app, &address).await.map_err(status_of)?;
    Ok(LogOffsetResponse {
        offset: end.unsigned_abs(),
    })
}

pub(super) fn append(
    app: Arc<App>,
    caller: Caller,
    chunks: Streaming<LogChunk>,
) -> BoxStream<LogAck> {
    Box::pin(stream::try_unfold(
        (app, caller, chunks),
        |(app, caller, mut chunks)| async move {
            let Some(chunk) = chunks.message().await? else {
                return Ok(None);
            };
            let ack = store(&app, &caller, &chunk).await?;
            Ok(Some((ack, (app, caller, chunks))))
        },
    ))
}

async fn store(app: &App, caller: &Caller, chunk: &LogChunk) -> Result<LogAck, Status> {
    if chunk.data.len() > protocol::MAX_LOG_CHUNK {
        return Err(Status::invalid_argument(
            "a log chunk is larger than 64 KiB",
        ));
    }
    let job = job_id(&chunk.job_id)?;
    let address = LogAddress {
        tenant: &caller.tenant,
        runner: &caller.runner,
        job: &job,
        epoch: epoch(chunk.epoch)?,
        stream: stream_of(&chunk.stream)?,
    };
    let offset = i64::try_from(chunk.offset).map_err(|_| unreadable("the log offset"))?;
    let end = logs::append(app, &address, offset, &chunk.data)
        .await
        .map_err(status_of)?;
    Ok(LogAck {
        offset: end.unsigned_abs(),
    })
}
