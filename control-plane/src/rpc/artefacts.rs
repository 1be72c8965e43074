//! What a job brings: states, plans, archives. Streamed into the object store, then bound to the run
//! in a transaction that compares the epoch.

use bytes::Bytes;
use domain::ids::JobId;
use futures::{Stream, TryStreamExt, stream};
use protocol::v1::{UploadChunk, UploadHead, UploadResponse};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::StreamReader;
use tonic::{Status, Streaming};

use super::messages::{epoch, job_id};
use super::service::Caller;
use super::status::{status_of, unreadable};
use crate::app::App;
use crate::fetches;
use crate::objects::{self, Stored};
use crate::runs::jobs::{self, Delivery, Job, Owner};
use crate::runs::{self, RunError, configuration};
use crate::state::{self, Announced, Disposition, RunStateGrant};

/// Enough of a sealed state to read whose key it was sealed to.
const SEAL_HEADER: usize = 256;
/// The kinds of uploads that are states.
const STATES: [&str; 3] = ["state", "errored-state", "sealed-state"];
/// The longest lineage that a revoked runner may give: terraform's are UUIDs.
const LONGEST_WORD: usize = 256;

pub(super) async fn take(
    app: &App,
    caller: &Caller,
    mut chunks: Streaming<UploadChunk>,
) -> Result<UploadResponse, Status> {
    let first = chunks
        .message()
        .await?
        .ok_or_else(|| unreadable("an empty upload"))?;
    let head = first
        .head
        .clone()
        .ok_or_else(|| unreadable("the head of the upload"))?;
    let job = admitted(app, caller, &head).await?;
    if head.kind != "configuration" {
        job.owner.need_run().map_err(status_of)?;
    }
    let body = Box::pin(body(first, chunks));
    let reader = StreamReader::new(body);
    match head.kind.as_str() {
        "state" | "errored-state" => {
            let stored = put(app, caller, "state", &head, reader, true).await?;
            state(app, caller, &head, &job, stored).await
        }
        "sealed-state" => sealed_state(app, caller, &head, &job, reader).await,
        "configuration" => {
            let stored = put(app, caller, "configuration", &head, reader, true).await?;
            let bound = bind_configuration(app, caller, &head, &job, &stored).await;
            bound.map_err(status_of)?;
            Ok(answer(stored.id.to_string(), "stored"))
        }
        kind => {
            let word = artefact_word(kind)?;
            let stored = put(app, caller, word, &head, reader, true).await?;
            bind_artefact(app, caller, &head, &job, word, &stored)
                .await
                .map_err(status_of)?;
            Ok(answer(stored.id.to_string(), "stored"))
        }
    }
}

fn answer(object_id: String, disposition: &str) -> UploadResponse {
    UploadResponse {
        object_id,
        disposition: disposition.to_owned(),
    }
}

fn artefact_word(kind: &str) -> Result<&'static str, Status> {
    [
        "plan-archive",
        "plan-json",
        "plan-json-redacted",
        "provider-schemas",
    ]
    .into_iter()
    .find(|word| *word == kind)
    .ok_or_else(|| Status::invalid_argument(format!("{kind:?} can't be uploaded")))
}

/// The job of an upload, before its bytes are read. States are let in whatever the lease: what is
/// stale is kept in quarantine, never refused.
async fn admitted(app: &App, caller: &Caller, head: &UploadHead) -> Result<Job, Status> {
    let (id, number) = (job_id(&head.job_id)?, epoch(head.epoch)?);
    if caller.revoked {
        return delivered(app, caller, head, &id, number).await;
    }
    let mut tx = app
        .db
        .begin()
        .await
        .map_err(|error| status_of(RunError::from(error)))?;
    if STATES.contains(&head.kind.as_str()) {
        let job = jobs::find(&mut tx, &caller.tenant, &id)
            .await
            .map_err(status_of)?;
        return job.ok_or_else(|| status_of(RunError::StaleEpoch));
    }
    jobs::check_lease(&mut tx, &caller.tenant, &caller.runner, &id, number)
        .await
        .map_err(status_of)
}

/// The job of a state that a revoked runner brings. How much that is has been announced, and is
/// counted before a byte of it is stored.
async fn delivered(
    app: &App,
    caller: &Caller,
    head: &UploadHead,
    id: &JobId,
    epoch: i64,
) -> Result<Job, Status> {
    if !STATES.contains(&head.kind.as_str()) {
        return Err(Status::permission_denied(
            "a revoked runner may deliver states only",
        ));
    }
    if head.lineage.len() > LONGEST_WORD || head.md5_hex.len() > LONGEST_WORD {
        return Err(unreadable("the head of the upload"));
    }
    let delivery = Delivery {
        runner: &caller.runner,
        job: id,
        epoch,
        size: head.size,
    };
    let job = jobs::admit_delivery(app, &caller.tenant, delivery)
        .await
        .map_err(status_of)?;
    job.ok_or_else(|| {
        tracing::warn!(runner = %caller.runner, job = %id,
            "a revoked runner has delivered as much as it may; no more is taken");
        Status::resource_exhausted("this runner has delivered as much as it may for this job")
    })
}

/// The data of all chunks, in order and without gaps.
fn body(
    first: UploadChunk,
    rest: Streaming<UploadChunk>,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    let chunks = stream::try_unfold((Some(first), rest), |(next, mut rest)| async move {
        let chunk = match next {
            Some(chunk) => Some(chunk),
            None => rest.message().await.map_err(std::io::Error::other)?,
        };
        Ok(chunk.map(|chunk| (chunk, (None, rest))))
    });
    let mut at: Option<u64> = None;
    chunks.and_then(move |chunk: UploadChunk| {
        let expected = at.unwrap_or(chunk.offset);
        let fits = chunk.offset == expected && chunk.data.len() <= protocol::MAX_DATA_CHUNK;
        at = Some(expected + chunk.data.len() as u64);
        std::future::ready(if fits {
            Ok(chunk.data)
        } else {
            Err(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                "a chunk is too large or out of place",
            ))
        })
    })
}

async fn put(
    app: &App,
    caller: &Caller,
    kind: &'static str,
    head: &UploadHead,
    reader: impl AsyncRead + Send + Unpin,
    as_announced: bool,
) -> Result<Stored, Status> {
    let limits = &app.installation.limits;
    let limit = if kind == "state" {
        limits.state
    } else {
        limits.artefact
    };
    let limit = if caller.revoked {
        limit.min(head.size)
    } else {
        limit
    };
    let stored = objects::put(app, &caller.tenant, kind, reader, limit)
        .await
        .map_err(status_of)?;
    let announced = hex::encode(&head.sha256);
    if as_announced && !announced.is_empty() && announced != stored.sha256 {
        return Err(Status::data_loss(
            "the content is not what was announced; send it again",
        ));
    }
    Ok(stored)
}

async fn sealed_state<R: AsyncRead + Send + Unpin + 'static>(
    app: &App,
    caller: &Caller,
    head: &UploadHead,
    job: &Job,
    mut reader: R,
) -> Result<UploadResponse, Status> {
    let mut start = vec![0; SEAL_HEADER];
    let mut filled = 0;
    while filled < SEAL_HEADER {
        match reader.read(&mut start[filled..]).await {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) => return Err(Status::unavailable(error.to_string())),
        }
    }
    start.truncate(filled);
    let key = vault::sealed::recipient_of(&start)
        .map_err(|error| Status::invalid_argument(error.to_string()))?
        .to_string();
    let sealed = std::io::Cursor::new(start).chain(reader);
    let id = format!(
        "{}/{}",
        job.owner.need_run().map_err(status_of)?.run_id,
        job.id
    );
    let plain = state::open_sealed_journal(app, &caller.tenant, &key, &id, sealed)
        .await
        .map_err(status_of)?;
    let stored = put(app, caller, "state", head, plain, false).await?;
    state(app, caller, head, job, stored).await
}

async fn state(
    app: &App,
    caller: &Caller,
    head: &UploadHead,
    job: &Job,
    stored: Stored,
) -> Result<UploadResponse, Status> {
    let of = job.owner.need_run().map_err(status_of)?;
    let grant = RunStateGrant {
        tenant: caller.tenant.clone(),
        workspace: of.workspace_id.clone(),
        run: of.run_id.clone(),
        job: job.id.clone(),
        epoch: epoch(head.epoch)?,
        final_state: head.final_state,
        recovery: head.recovery,
        renumber: head.kind == "errored-state",
    };
    let announced = Announced {
        serial: head.serial,
        lineage: head.lineage.clone(),
        md5: head.md5_hex.clone(),
        size: head.size,
    };
    let disposition = state::accept_from_run(app, &grant, &announced, stored)
        .await
        .map_err(status_of)?;
    Ok(match disposition {
        Disposition::Stored(id) => answer(id.to_string(), "stored"),
        Disposition::Duplicate(id) => answer(id.to_string(), "duplicate"),
        Disposition::Quarantined(id, reason) => {
            tracing::warn!(run = %of.run_id, job = %job.id, state = %id, reason,
                "a state went into quarantine");
            answer(id.to_string(), "quarantined")
        }
    })
}

async fn bind_artefact(
    app: &App,
    caller: &Caller,
    head: &UploadHead,
    job: &Job,
    word: &str,
    stored: &Stored,
) -> Result<(), RunError> {
    let epoch = i64::try_from(head.epoch).map_err(|_| RunError::StaleEpoch)?;
    let mut tx = app.db.begin().await?;
    jobs::check_lease(&mut tx, &caller.tenant, &caller.runner, &job.id, epoch).await?;
    let run = &job.owner.need_run()?.run_id;
    runs::attach_artefact(&mut tx, &caller.tenant, run, word, &stored.id).await?;
    tx.commit().await?;
    Ok(())
}

async fn bind_configuration(
    app: &App,
    caller: &Caller,
    head: &UploadHead,
    job: &Job,
    stored: &Stored,
) -> Result<(), RunError> {
    let epoch = i64::try_from(head.epoch).map_err(|_| RunError::StaleEpoch)?;
    let mut tx = app.db.begin().await?;
    jobs::check_lease(&mut tx, &caller.tenant, &caller.runner, &job.id, epoch).await?;
    match &job.owner {
        Owner::Run(of) => {
            let run = runs::find(&mut tx, &caller.tenant, &of.run_id)
                .await?
                .ok_or(RunError::NotFound)?;
            configuration::attach_fetched(&mut tx, &caller.tenant, &run, stored).await?;
        }
        Owner::Fetch(id) => {
            let mut fetch = fetches::lock_and_find(&mut tx, &caller.tenant, id)
                .await?
                .filter(|fetch| !fetch.is_over())
                .ok_or(RunError::StaleEpoch)?;
            fetches::attach(&mut tx, &caller.tenant, &mut fetch, stored).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}
