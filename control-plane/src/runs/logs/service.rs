//! Appending to a log under a lease, and reading it.

use domain::ids::{JobId, RunId, RunnerId};
use domain::run::Phase;

use super::marked::{cut, frame};
use super::store::{self, Log};
use crate::app::App;
use crate::context::Tenant;
use crate::objects;
use crate::problem::Fault;
use crate::runs::error::RunError;
use crate::runs::gates;
use crate::runs::jobs;
use crate::runs::model::Run;
use crate::runs::transition::phase_of;
use crate::tenancy::SealedPlace;

type Result<T> = std::result::Result<T, RunError>;

/// The streams of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Text,
    Json,
}

impl Stream {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }

    pub fn read(word: &str) -> Option<Self> {
        [Self::Text, Self::Json]
            .into_iter()
            .find(|it| it.as_str() == word)
    }
}

/// Which log of which job, at which epoch.
pub struct LogAddress<'a> {
    pub tenant: &'a Tenant,
    pub runner: &'a RunnerId,
    pub job: &'a JobId,
    pub epoch: i64,
    pub stream: Stream,
}

fn place(log: &str, position: i64) -> SealedPlace {
    SealedPlace::new("log-chunk", format!("{log}/{position}"))
}

/// Adds a chunk; returns how long the log is then. A chunk that is there already is acknowledged.
///
/// # Errors
/// [`RunError::StaleEpoch`], [`RunError::LogGap`].
pub async fn append(app: &App, address: &LogAddress<'_>, offset: i64, data: &[u8]) -> Result<i64> {
    let tenant = address.tenant;
    let mut tx = app.db.begin().await?;
    let job =
        jobs::check_lease(&mut tx, tenant, address.runner, address.job, address.epoch).await?;
    let log = ensure(
        app,
        &mut tx,
        tenant,
        &job.owner.need_run()?.run_id,
        phase_of(job.kind),
        address.stream,
    )
    .await?;
    let end = offset + i64::try_from(data.len()).unwrap_or(i64::MAX);
    if end <= log.size || data.is_empty() {
        return Ok(log.size);
    }
    if offset > log.size {
        return Err(RunError::LogGap {
            expected: log.size,
            got: offset,
        });
    }
    let fresh = usize::try_from(log.size - offset).map_or(data, |skip| &data[skip..]);
    let added = end - log.size;
    let limit = i64::try_from(app.installation.limits.log).unwrap_or(i64::MAX);
    if log.complete || log.size > limit {
        // Past the limit the rest is acknowledged and dropped: a log never breaks a run.
        return Ok(end);
    }
    let sealed = app
        .keys
        .seal(&mut tx, tenant, &place(&log.id, log.size), fresh)
        .await?;
    store::append(
        &mut tx,
        tenant,
        &log.id,
        log.size,
        added,
        sealed,
        app.clock.now(),
    )
    .await?;
    tx.commit().await?;
    Ok(end)
}

async fn ensure(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    run: &RunId,
    phase: Phase,
    stream: Stream,
) -> Result<Log> {
    if let Some(log) = store::find(tx, tenant, run, phase, stream.as_str()).await? {
        return Ok(log);
    }
    let id = format!(
        "log-{}-{phase}-{}",
        run.as_str().trim_start_matches("run-"),
        stream.as_str()
    );
    store::insert(
        tx,
        tenant,
        &id,
        run,
        phase,
        stream.as_str(),
        app.clock.now(),
    )
    .await?;
    Ok(store::find(tx, tenant, run, phase, stream.as_str())
        .await?
        .ok_or(Fault::Unreadable {
            what: "a log's row",
        })?)
}

/// Where the control plane's copy of a log ends.
///
/// # Errors
/// [`RunError::StaleEpoch`].
pub async fn end_of(app: &App, address: &LogAddress<'_>) -> Result<i64> {
    let mut tx = app.db.begin().await?;
    let job = jobs::check_lease(
        &mut tx,
        address.tenant,
        address.runner,
        address.job,
        address.epoch,
    )
    .await?;
    let found = store::find(
        &mut tx,
        address.tenant,
        &job.owner.need_run()?.run_id,
        phase_of(job.kind),
        address.stream.as_str(),
    )
    .await?;
    Ok(found.map_or(0, |log| log.size))
}

/// Marks the logs of a phase complete, in the transaction that gives it its final status.
///
/// # Errors
/// The database's own.
pub async fn end(tx: &mut db::Tx, tenant: &Tenant, run: &RunId, phase: Phase) -> Result<()> {
    Ok(store::end(tx, tenant, run, phase).await?)
}

/// Forgets the logs of a phase that is executed once more.
///
/// # Errors
/// The database's own.
pub async fn restart(tx: &mut db::Tx, tenant: &Tenant, run: &RunId, phase: Phase) -> Result<()> {
    Ok(store::delete(tx, tenant, run, phase).await?)
}

/// The body for a reader at `offset` of the marked stream.
///
/// # Errors
/// The database's or the object store's own.
pub async fn read_marked(
    app: &App,
    run: &Run,
    phase: Phase,
    offset: u64,
    limit: u64,
) -> Result<Vec<u8>> {
    let tenant = Tenant::of_row(&run.account_id);
    let stream = if run.request.structured_log {
        Stream::Json
    } else {
        Stream::Text
    };
    let mut conn = app.db.acquire().await?;
    let preface = match phase {
        Phase::Plan => gates::log_preface(&mut conn, &tenant, run).await?,
        Phase::Apply => Vec::new(),
    };
    let log = store::find(&mut conn, &tenant, &run.id, phase, stream.as_str()).await?;
    let size = log.as_ref().map_or(0, |log| log.size);
    let complete = log.as_ref().is_some_and(|log| log.complete);
    let before = preface.len() as u64;
    let slice = cut(
        before + u64::try_from(size).unwrap_or_default(),
        complete,
        offset,
        limit,
    );
    let (start, length) = slice.content;
    let end = start + length;
    let from = |at: u64| usize::try_from(at.min(before)).unwrap_or(preface.len());
    let mut content = preface[from(start)..from(end)].to_vec();
    if let Some(log) = &log {
        let (start, end) = (start.saturating_sub(before), end.saturating_sub(before));
        content.extend(read_range(app, &mut conn, &tenant, log, start, end - start).await?);
    }
    Ok(frame(&slice, &content))
}

async fn read_range(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    log: &Log,
    start: u64,
    length: u64,
) -> Result<Vec<u8>> {
    if length == 0 {
        return Ok(Vec::new());
    }
    if let Some(blob) = &log.blob_id {
        let object = objects::open(app, tenant, blob).await?;
        return Ok(object.read_range(start, length).await?.to_vec());
    }
    let (first, last) = (i64::try_from(start), i64::try_from(start + length));
    let (Ok(first), Ok(last)) = (first, last) else {
        return Ok(Vec::new());
    };
    let mut content = Vec::new();
    for chunk in store::chunks(conn, tenant, &log.id, first, last).await? {
        let plain = app
            .keys
            .open(conn, tenant, &place(&log.id, chunk.position), &chunk.sealed)
            .await?;
        let from = usize::try_from((first - chunk.position).max(0)).unwrap_or_default();
        let to = usize::try_from((last - chunk.position).min(chunk.size)).unwrap_or_default();
        content.extend_from_slice(plain.expose().get(from..to).unwrap_or_default());
    }
    Ok(content)
}

/// A whole log's plain bytes, chunk by chunk, for the compaction.
pub(super) async fn chunk_texts(app: &App, log: &Log) -> Result<Vec<u8>> {
    let tenant = Tenant::of_row(&log.account_id);
    let mut conn = app.db.acquire().await?;
    let size = u64::try_from(log.size).unwrap_or_default();
    read_range(app, &mut conn, &tenant, log, 0, size).await
}
