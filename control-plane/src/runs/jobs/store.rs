//! Rows of jobs. Deadlines are in the database's time: replicas' clocks may differ.

use db::{Conn, Json};
use domain::ids::{AccountId, FetchId, JobId, RunId, RunnerId, RunnerPoolId};
use domain::job::{JobKind, JobStatus};

use super::owner::Owner;
use super::service::Directive;
use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

/// A job as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Job {
    pub id: JobId,
    pub account_id: AccountId,
    #[sqlx(flatten)]
    pub owner: Owner,
    pub kind: JobKind,
    pub pool_id: RunnerPoolId,
    pub status: JobStatus,
    pub priority: i64,
    pub attempt: i64,
    pub epoch: i64,
    pub runner_id: Option<RunnerId>,
    pub directive: String,
    pub stage: Option<String>,
    pub executor: Option<String>,
    pub leased_at: Option<Timestamp>,
    pub lease_expires_at: Option<Timestamp>,
    pub silent_since: Option<Timestamp>,
    pub created_at: Timestamp,
    pub recovery_until: Option<Timestamp>,
}

pub(super) const COLUMNS: &str =
    "SELECT id, account_id, environment_id, workspace_id, run_id, fetch_id, kind, pool_id,
    status, priority, attempt, epoch, runner_id, directive, stage, executor, leased_at,
    lease_expires_at, silent_since, created_at, recovery_until FROM jobs ";

/// A fetch that has a job already gets no second one.
pub(super) async fn insert(conn: &mut Conn, tenant: &Tenant, job: &Job) -> Result<()> {
    conn.query(
        "INSERT INTO jobs (id, account_id, environment_id, workspace_id, run_id, fetch_id, kind, pool_id,
            status, priority, attempt, epoch, directive, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT (fetch_id) WHERE fetch_id IS NOT NULL
            AND status IN ('queued', 'offered', 'leased', 'out-of-contact') DO NOTHING",
    )
    .bind(&job.id)
    .bind(tenant.account())
    .bind(job.owner.run().map(|it| &it.environment_id))
    .bind(job.owner.run().map(|it| &it.workspace_id))
    .bind(job.owner.run().map(|it| &it.run_id))
    .bind(job.owner.fetch())
    .bind(job.kind)
    .bind(&job.pool_id)
    .bind(job.status)
    .bind(job.priority)
    .bind(job.attempt)
    .bind(job.epoch)
    .bind(&job.directive)
    .bind(job.created_at)
    .execute()
    .await?;
    Ok(())
}

/// A job by its id, for its runner: `account` is the runner's own.
pub(crate) async fn find(conn: &mut Conn, tenant: &Tenant, id: &JobId) -> Result<Option<Job>> {
    conn.build(COLUMNS)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

/// The unfinished job of a run, or its last one.
pub(crate) async fn latest(conn: &mut Conn, tenant: &Tenant, run: &RunId) -> Result<Option<Job>> {
    conn.build(COLUMNS)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND run_id = ")
        .bind(run)
        .push(" ORDER BY created_at DESC, id LIMIT 1")
        .finish()
        .fetch_optional()
        .await
}

/// The newest job of a fetch.
pub(super) async fn of_fetch(
    conn: &mut Conn,
    tenant: &Tenant,
    fetch: &FetchId,
) -> Result<Option<Job>> {
    conn.build(COLUMNS)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND fetch_id = ")
        .bind(fetch)
        .push(" ORDER BY created_at DESC, id LIMIT 1")
        .finish()
        .fetch_optional()
        .await
}

/// Offers a queued job to a runner: the epoch rises, the clock of the offer starts.
pub(super) async fn offer(
    conn: &mut Conn,
    job: &JobId,
    runner: &RunnerId,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<Job>> {
    conn.query(
        "UPDATE jobs SET status = 'offered', runner_id = $2, epoch = epoch + 1, offered_at = $3,
            lease_expires_at = $4
         WHERE id = $1 AND status = 'queued'
         RETURNING id, account_id, environment_id, workspace_id, run_id, fetch_id, kind, pool_id, status,
            priority, attempt, epoch, runner_id, directive, stage, executor, leased_at,
            lease_expires_at, silent_since, created_at, recovery_until",
    )
    .bind(job)
    .bind(runner)
    .bind(now)
    .bind(until)
    .fetch_optional()
    .await
}

/// The runner takes what it was offered.
pub(super) async fn lease(
    conn: &mut Conn,
    tenant: &Tenant,
    job: &JobId,
    runner: &RunnerId,
    epoch: i64,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE jobs SET status = 'leased', leased_at = $5, lease_expires_at = $6
             WHERE account_id = $1 AND id = $2 AND runner_id = $3 AND epoch = $4
                AND status = 'offered'",
        )
        .bind(tenant.account())
        .bind(job)
        .bind(runner)
        .bind(epoch)
        .bind(now)
        .bind(until)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Extends a lease that is still the runner's; one that was out of contact is back.
pub(super) async fn renew(
    conn: &mut Conn,
    tenant: &Tenant,
    job: &JobId,
    runner: &RunnerId,
    epoch: i64,
    until: Timestamp,
) -> Result<Option<String>> {
    let row: Option<(String,)> = conn
        .query(
            "UPDATE jobs SET status = 'leased', lease_expires_at = $5, silent_since = NULL
             WHERE account_id = $1 AND id = $2 AND runner_id = $3 AND epoch = $4
                AND status IN ('leased', 'out-of-contact')
             RETURNING directive",
        )
        .bind(tenant.account())
        .bind(job)
        .bind(runner)
        .bind(epoch)
        .bind(until)
        .fetch_optional()
        .await?;
    Ok(row.map(|(directive,)| directive))
}

/// Every running lease gets a fresh period: for the start of the control plane, which was the one
/// that was silent.
pub(super) async fn renew_all(conn: &mut Conn, until: Timestamp) -> Result<u64> {
    conn.query(
        "UPDATE jobs SET lease_expires_at = $1
         WHERE status = 'leased' AND lease_expires_at < $1",
    )
    .bind(until)
    .execute()
    .await
}

/// Puts an offer that nobody took back into the queue.
pub(super) async fn withdraw(conn: &mut Conn, job: &JobId, epoch: i64) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE jobs SET status = 'queued', runner_id = NULL, lease_expires_at = NULL
             WHERE id = $1 AND epoch = $2 AND status = 'offered'",
        )
        .bind(job)
        .bind(epoch)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// An apply's lease has run out: it goes on at its runner, at the same epoch.
pub(super) async fn lose_contact(
    conn: &mut Conn,
    job: &Job,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE jobs SET status = 'out-of-contact', silent_since = $3, lease_expires_at = $4
             WHERE id = $1 AND epoch = $2 AND status = 'leased'",
        )
        .bind(&job.id)
        .bind(job.epoch)
        .bind(now)
        .bind(until)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// What a runner was offered or holds.
pub(super) async fn in_hand(
    conn: &mut Conn,
    tenant: &Tenant,
    runner: &RunnerId,
) -> Result<Vec<Job>> {
    conn.build(COLUMNS)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND runner_id = ")
        .bind(runner)
        .push(" AND status IN ('offered', 'leased', 'out-of-contact') ORDER BY id")
        .finish()
        .fetch_all()
        .await
}

/// The applies of a runner that never came to a proper end.
pub(super) async fn unended_applies(
    conn: &mut Conn,
    tenant: &Tenant,
    runner: &RunnerId,
) -> Result<Vec<Job>> {
    conn.build(COLUMNS)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND runner_id = ")
        .bind(runner)
        .push(" AND kind = 'apply' AND status <> 'finished' ORDER BY id")
        .finish()
        .fetch_all()
        .await
}

/// Counts what a revoked runner is about to deliver; `false` where it would be more than `most` for
/// the job.
pub(super) async fn reserve_delivery(
    conn: &mut Conn,
    tenant: &Tenant,
    job: &JobId,
    bytes: i64,
    most: i64,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE jobs SET delivery_bytes = delivery_bytes + $3
             WHERE account_id = $1 AND id = $2 AND delivery_bytes + $3 <= $4",
        )
        .bind(tenant.account())
        .bind(job)
        .bind(bytes)
        .bind(most)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn overdue(conn: &mut Conn, now: Timestamp) -> Result<Vec<Job>> {
    conn.build(COLUMNS)
        .push("WHERE status IN ('offered', 'leased', 'out-of-contact') AND lease_expires_at < ")
        .bind(now)
        .push(" ORDER BY lease_expires_at LIMIT 200")
        .finish()
        .fetch_all()
        .await
}

/// Ends a job of this epoch with its outcome.
pub(super) async fn finish(
    conn: &mut Conn,
    tenant: &Tenant,
    job: &JobId,
    epoch: i64,
    outcome: &serde_json::Value,
    now: Timestamp,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE jobs SET status = 'finished', outcome = $4, finished_at = $5,
                lease_expires_at = NULL
             WHERE account_id = $1 AND id = $2 AND epoch = $3
                AND status IN ('leased', 'out-of-contact')",
        )
        .bind(tenant.account())
        .bind(job)
        .bind(epoch)
        .bind(Json(outcome))
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Ends a run's unfinished jobs without a result; their epoch rises, so nothing they still send is
/// taken, except states under a recovery grant.
pub(super) async fn abandon(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
    recovery_until: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "UPDATE jobs SET status = 'abandoned', recovery_until = $3, finished_at = $4,
            lease_expires_at = NULL
         WHERE account_id = $1 AND run_id = $2
            AND status IN ('queued', 'offered', 'leased', 'out-of-contact')",
    )
    .bind(tenant.account())
    .bind(run)
    .bind(recovery_until)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Ends one job without a result, if it still is at this epoch.
pub(super) async fn abandon_one(conn: &mut Conn, job: &Job, now: Timestamp) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE jobs SET status = 'abandoned', finished_at = $3, lease_expires_at = NULL
             WHERE id = $1 AND epoch = $2
                AND status IN ('queued', 'offered', 'leased', 'out-of-contact')",
        )
        .bind(&job.id)
        .bind(job.epoch)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Ends the unfinished jobs of fetches that nobody wants any more.
pub(super) async fn abandon_canceled(conn: &mut Conn, now: Timestamp) -> Result<u64> {
    conn.query(
        "UPDATE jobs SET status = 'abandoned', finished_at = $1, lease_expires_at = NULL
         WHERE fetch_id IS NOT NULL
            AND status IN ('queued', 'offered', 'leased', 'out-of-contact')
            AND EXISTS (SELECT 1 FROM fetches f
                WHERE f.id = jobs.fetch_id AND f.status = 'canceled')",
    )
    .bind(now)
    .execute()
    .await
}

/// A recovery has been delivered: its grant ends.
pub(super) async fn end_recovery(conn: &mut Conn, tenant: &Tenant, job: &JobId) -> Result<()> {
    conn.query("UPDATE jobs SET recovery_until = NULL WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(job)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn set_directive(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
    directive: Directive,
) -> Result<Vec<(JobId, Option<RunnerId>, i64)>> {
    conn.query(
        "UPDATE jobs SET directive = $3
         WHERE account_id = $1 AND run_id = $2 AND status IN ('leased', 'out-of-contact')
         RETURNING id, runner_id, epoch",
    )
    .bind(tenant.account())
    .bind(run)
    .bind(directive.as_str())
    .fetch_all()
    .await
}

pub(super) async fn set_stage(
    conn: &mut Conn,
    tenant: &Tenant,
    job: &JobId,
    epoch: i64,
    stage: &str,
    executor: Option<&str>,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE jobs SET stage = $4, executor = COALESCE($5, executor)
             WHERE account_id = $1 AND id = $2 AND epoch = $3
                AND status IN ('leased', 'out-of-contact')",
        )
        .bind(tenant.account())
        .bind(job)
        .bind(epoch)
        .bind(stage)
        .bind(executor)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Notes how often the run's queued job has been tried.
pub(super) async fn set_attempt(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
    attempt: i64,
) -> Result<()> {
    conn.query(
        "UPDATE jobs SET attempt = $3
         WHERE account_id = $1 AND run_id = $2 AND status = 'queued'",
    )
    .bind(tenant.account())
    .bind(run)
    .bind(attempt)
    .execute()
    .await?;
    Ok(())
}

/// The default pool of an account.
pub(super) async fn default_pool(conn: &mut Conn, tenant: &Tenant) -> Result<Option<RunnerPoolId>> {
    let row: Option<(RunnerPoolId,)> = conn
        .query("SELECT id FROM runner_pools WHERE account_id = $1 AND is_default")
        .bind(tenant.account())
        .fetch_optional()
        .await?;
    Ok(row.map(|(id,)| id))
}

/// Jobs with something to tell their runners.
pub(super) async fn wanted(conn: &mut Conn, abandoned_since: Timestamp) -> Result<Vec<Job>> {
    conn.build(COLUMNS)
        .push(
            "WHERE runner_id IS NOT NULL AND ((status IN ('leased', 'out-of-contact')
                AND directive <> 'continue') OR (status = 'abandoned' AND finished_at > ",
        )
        .bind(abandoned_since)
        .push(")) LIMIT 1000")
        .finish()
        .fetch_all()
        .await
}
