//! Jobs of fetches: how a fetch comes into the queue, and how what becomes of its job becomes the
//! fetch's.

use chrono::TimeDelta;
use domain::ids::{FetchId, JobId, PolicyRevisionId};
use domain::job::{FetchOwnerKind, FetchStatus, JobKind, JobStatus};
use serde_json::json;

use super::owner::Owner;
use super::report::{Outcome, Report};
use super::service::{DIRECTIVES, Directive, Lease};
use super::store::{self, Job};
use crate::app::App;
use crate::context::{Actor, Context, Tenant};
use crate::fetches::{self, Fetch, Fetched};
use crate::policies::{self, CommitInfo, PolicyError};
use crate::problem::Fault;
use crate::runs::error::RunError;
use crate::runs::transition::CHANGED;

type Result<T> = std::result::Result<T, RunError>;

/// Fetches that get their jobs in one transaction at most.
const BATCH: i64 = 200;
/// As plans: after applies, before dry runs.
const PRIORITY: i64 = 1;

/// Puts every fetch that waits into its pool's queue, and takes out those that nobody wants.
/// Idempotent: a fetch has one unfinished job at most, whatever other replicas do.
///
/// # Errors
/// The database's own; the rest is done at the next pass.
pub async fn settle_fetches(app: &App) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let now = app.clock.now();
    let abandoned = store::abandon_canceled(&mut tx, now).await?;
    let waiting = fetches::without_job(&mut tx, BATCH).await?;
    for fetch in &waiting {
        let tenant = Tenant::of_row(&fetch.account_id);
        store::insert(&mut tx, &tenant, &job_of(fetch, now)).await?;
    }
    if abandoned > 0 {
        tx.notify(DIRECTIVES);
    }
    if !waiting.is_empty() {
        tx.notify(CHANGED);
    }
    tx.commit().await?;
    if !waiting.is_empty() {
        app.signals.dispatch.wake();
    }
    Ok(())
}

fn job_of(fetch: &Fetch, now: crate::clock::Timestamp) -> Job {
    Job {
        id: JobId::random(),
        account_id: fetch.account_id.clone(),
        owner: Owner::Fetch(fetch.id.clone()),
        kind: JobKind::Fetch,
        pool_id: fetch.pool_id.clone(),
        status: JobStatus::Queued,
        priority: PRIORITY,
        attempt: fetch.losses + 1,
        epoch: 0,
        runner_id: None,
        directive: Directive::Continue.as_str().to_owned(),
        stage: None,
        executor: None,
        leased_at: None,
        lease_expires_at: None,
        silent_since: None,
        created_at: now,
        recovery_until: None,
    }
}

/// A runner takes the job of a fetch. The lease is the caller's business.
///
/// # Errors
/// [`RunError::StaleEpoch`] when nobody wants the fetch any more.
pub(super) async fn acknowledge(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    lease: Lease<'_>,
    id: &FetchId,
) -> Result<Fetch> {
    let mut fetch = fetches::lock_and_find(tx, tenant, id)
        .await?
        .filter(|fetch| !fetch.is_over())
        .ok_or(RunError::StaleEpoch)?;
    let now = tx.database_now().await?;
    let until = now + TimeDelta::seconds(app.installation.timing.lease.into());
    let Lease { runner, job, epoch } = lease;
    if !store::lease(tx, tenant, job, runner, epoch, now, until).await? {
        return Err(RunError::StaleEpoch);
    }
    fetches::started(tx, tenant, &mut fetch).await?;
    Ok(fetch)
}

/// The runner of a fetch is gone: the fetch waits again, or has failed.
pub(super) async fn give_up(app: &App, job: &Job, id: &FetchId) -> Result<()> {
    let tenant = Tenant::of_row(&job.account_id);
    let ctx = Context::new(Actor::system(&job.account_id, "lease"), app.clock.clone());
    let mut tx = app.db.begin().await?;
    let fetch = fetches::lock_and_find(&mut tx, &tenant, id).await?;
    if !store::abandon_one(&mut tx, job, ctx.now()).await? {
        return Ok(());
    }
    tx.notify(DIRECTIVES);
    if let Some(mut fetch) = fetch.filter(|fetch| !fetch.is_over()) {
        fetches::lost(&mut tx, &ctx, &mut fetch).await?;
        tell(app, &mut tx, &ctx, &mut fetch).await?;
    }
    tx.commit().await?;
    app.signals.policies.wake();
    Ok(())
}

/// Takes the report of a fetch's job, whose transaction this is.
///
/// # Errors
/// [`RunError::StaleEpoch`] for a job or epoch that never was this runner's.
pub(super) async fn complete(
    app: &App,
    mut tx: db::Tx,
    ctx: &Context,
    lease: Lease<'_>,
    id: &FetchId,
    report: Report,
) -> Result<()> {
    let tenant = ctx.tenant();
    let fetch = fetches::lock_and_find(&mut tx, &tenant, id).await?;
    let job = store::find(&mut tx, &tenant, lease.job)
        .await?
        .ok_or(RunError::StaleEpoch)?;
    if job.runner_id.as_ref() != Some(lease.runner) || job.epoch != lease.epoch {
        return Err(RunError::StaleEpoch);
    }
    match job.status {
        JobStatus::Finished | JobStatus::Abandoned => return Ok(()),
        JobStatus::Queued | JobStatus::Offered => return Err(RunError::StaleEpoch),
        JobStatus::Leased | JobStatus::OutOfContact => {}
    }
    let outcome = json!({ "outcome": format!("{:?}", report.outcome), "error": report.error });
    if !store::finish(&mut tx, &tenant, &job.id, job.epoch, &outcome, ctx.now()).await? {
        return Err(RunError::StaleEpoch);
    }
    if let Some(mut fetch) = fetch.filter(|fetch| !fetch.is_over()) {
        let tx = &mut tx;
        match report.outcome {
            Outcome::Succeeded => {
                let what = report.fetched.unwrap_or_default();
                let what = Fetched {
                    commit: what.commit,
                    author: what.author,
                    message: what.message,
                    branch: what.reference,
                };
                fetches::succeeded(tx, ctx, &mut fetch, what).await?;
            }
            // Nobody asked it to stop: its runner is going. It waits for another one.
            Outcome::Canceled => fetches::lost(tx, ctx, &mut fetch).await?,
            Outcome::Failed | Outcome::StateUncertain => {
                fetches::failed(tx, ctx, &mut fetch, report.error).await?;
            }
        }
        tell(app, tx, ctx, &mut fetch).await?;
    }
    tx.commit().await?;
    app.signals.policies.wake();
    app.signals.dispatch.wake();
    Ok(())
}

/// Tells the owner of a fetch that has ended what came of it, in the transaction that ended it.
async fn tell(app: &App, tx: &mut db::Tx, ctx: &Context, fetch: &mut Fetch) -> Result<()> {
    let tenant = ctx.tenant();
    match fetch.owner.kind {
        FetchOwnerKind::PolicyRevisions => {
            let revision = fetch.owner.id.parse().map_err(|_| Fault::Unreadable {
                what: "the owner of a fetch",
            })?;
            let told = tell_policies(app, tx, &tenant, &revision, fetch).await;
            match told {
                // It wants no files any more.
                Err(RunError::Policy(PolicyError::AlreadyUploaded | PolicyError::NotFound)) => {
                    Ok(())
                }
                other => other,
            }
        }
    }
}

async fn tell_policies(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    revision: &PolicyRevisionId,
    fetch: &mut Fetch,
) -> Result<()> {
    match fetch.status {
        FetchStatus::Fetched => {
            let Some(stored) = fetches::hand_over(tx, tenant, fetch).await? else {
                return Ok(());
            };
            let what = fetch.fetched.clone().unwrap_or_default();
            let commit = CommitInfo {
                sha: what.commit,
                message: what.message,
                author: what.author,
            };
            Ok(policies::fetched(app, tx, tenant, revision, commit, &stored).await?)
        }
        FetchStatus::Failed => {
            let reason = fetch.error.clone().unwrap_or_default();
            Ok(policies::fetch_failed(app, tx, tenant, revision, &reason).await?)
        }
        FetchStatus::Waiting | FetchStatus::Fetching | FetchStatus::Canceled => Ok(()),
    }
}

/// The newest job of a fetch.
///
/// # Errors
/// The database's own.
pub(in crate::runs) async fn job_of_fetch(
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &FetchId,
) -> Result<Option<Job>> {
    Ok(store::of_fetch(conn, tenant, id).await?)
}
