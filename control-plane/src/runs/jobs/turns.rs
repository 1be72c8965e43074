//! Whose job is next: SQL over indexed rows, so a restart or a second replica gives the same order.
//!
//! By priority; inside one, the account with the fewest jobs at work comes first, so that a large
//! tenant's long queue doesn't keep a small one waiting; inside an account the oldest. Accounts and
//! environments at their limit are passed over.

use db::{Conn, Tx};
use domain::ids::{AccountId, EnvironmentId, JobId, RunnerPoolId};

use super::store::{COLUMNS, Job};

type Result<T> = std::result::Result<T, db::Error>;

/// Whose queue is next.
#[derive(Debug, sqlx::FromRow)]
struct Head {
    priority: i64,
    account_id: AccountId,
    /// None: jobs of fetches.
    environment_id: Option<EnvironmentId>,
    /// Whether its account or environment has a limit of its own.
    limited: bool,
}

/// The job that is next in a pool.
#[derive(Debug)]
pub(super) struct Next {
    pub job: Job,
    /// Whether a limit of its account or environment was counted against.
    pub limited: bool,
}

/// The next job of a pool, if somebody's may start. `account_limit`: jobs at work of an account that
/// has no limit of its own; `fetches`: whether jobs of fetches count, which only newer runners know.
pub(super) async fn next(
    conn: &mut Conn,
    pool: &RunnerPoolId,
    account_limit: i64,
    fetches: bool,
) -> Result<Option<Next>> {
    let head: Option<Head> = conn
        .query(
            "WITH at_work AS (
                SELECT account_id, environment_id, COUNT(*) AS jobs FROM jobs
                WHERE status IN ('offered', 'leased', 'out-of-contact')
                GROUP BY account_id, environment_id
             ), of_account AS (
                SELECT account_id, CAST(SUM(jobs) AS BIGINT) AS jobs FROM at_work
                GROUP BY account_id
             ), heads AS (
                SELECT priority, account_id, environment_id, MIN(created_at) AS since FROM jobs
                WHERE pool_id = $1 AND status = 'queued' AND (fetch_id IS NULL OR $3)
                GROUP BY priority, account_id, environment_id
             )
             SELECT h.priority, h.account_id, h.environment_id,
                (e.max_concurrent_runs IS NOT NULL
                    OR COALESCE(c.max_concurrent_runs, 0) > 0) AS limited
             FROM heads h
             JOIN accounts c ON c.id = h.account_id
             LEFT JOIN environments e ON e.id = h.environment_id
             LEFT JOIN of_account a ON a.account_id = h.account_id
             LEFT JOIN at_work w
                ON w.account_id = h.account_id AND w.environment_id = h.environment_id
             WHERE (c.max_concurrent_runs = 0
                    OR COALESCE(a.jobs, 0) < COALESCE(c.max_concurrent_runs, $2))
                AND (e.max_concurrent_runs IS NULL
                    OR COALESCE(w.jobs, 0) < e.max_concurrent_runs)
             ORDER BY h.priority, COALESCE(a.jobs, 0), h.since, h.account_id, h.environment_id
             LIMIT 1",
        )
        .bind(pool)
        .bind(account_limit)
        .bind(fetches)
        .fetch_optional()
        .await?;
    let Some(head) = head else {
        return Ok(None);
    };
    let of_head = conn
        .build(COLUMNS)
        .push("WHERE pool_id = ")
        .bind(pool)
        .push(" AND status = 'queued' AND priority = ")
        .bind(head.priority)
        .push(" AND account_id = ")
        .bind(&head.account_id);
    let of_head = match &head.environment_id {
        Some(environment) => of_head.push(" AND environment_id = ").bind(environment),
        None => of_head.push(" AND environment_id IS NULL"),
    };
    let job = of_head
        .push(" ORDER BY created_at, id LIMIT 1")
        .finish()
        .fetch_optional()
        .await?;
    Ok(job.map(|job| Next {
        job,
        limited: head.limited,
    }))
}

/// Whether a pool has jobs in its queue, be it their turn or not.
pub(crate) async fn is_waited_for(conn: &mut Conn, pool: &RunnerPoolId) -> Result<bool> {
    conn.query("SELECT EXISTS (SELECT 1 FROM jobs WHERE pool_id = $1 AND status = 'queued')")
        .bind(pool)
        .fetch_scalar()
        .await
}

/// Makes offers to jobs of one account wait for each other until `tx` ends, so that two of them
/// can't both take its last place. An update of no key: rows that refer to the account don't wait.
pub(super) async fn serialise(tx: &mut Tx, account: &AccountId) -> Result<()> {
    tx.query("UPDATE accounts SET name = name WHERE id = $1")
        .bind(account)
        .execute()
        .await?;
    Ok(())
}

/// What is at work where a job belongs.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct AtWork {
    pub of_account: i64,
    pub of_environment: i64,
    account_limit: Option<i64>,
    pub environment_limit: Option<i64>,
}

impl AtWork {
    /// The account's limit, `default` if it has none of its own.
    pub(crate) fn account_limit(&self, default: i64) -> i64 {
        match self.account_limit {
            Some(0) => i64::MAX,
            Some(limit) => limit,
            None => default,
        }
    }
}

/// What is at work in a job's account and environment.
pub(crate) async fn at_work(conn: &mut Conn, job: &Job) -> Result<AtWork> {
    conn.query(
        "SELECT
            (SELECT COUNT(*) FROM jobs WHERE account_id = $1
                AND status IN ('offered', 'leased', 'out-of-contact')) AS of_account,
            (SELECT COUNT(*) FROM jobs WHERE account_id = $1 AND environment_id = $2
                AND status IN ('offered', 'leased', 'out-of-contact')) AS of_environment,
            (SELECT max_concurrent_runs FROM accounts WHERE id = $1) AS account_limit,
            (SELECT max_concurrent_runs FROM environments WHERE account_id = $1 AND id = $2)
                AS environment_limit",
    )
    .bind(&job.account_id)
    .bind(job.owner.run().map(|it| &it.environment_id))
    .fetch_one()
    .await
}

/// How many queued jobs of its pool have their turn before this one.
pub(crate) async fn ahead(conn: &mut Conn, pool: &RunnerPoolId, job: &JobId) -> Result<i64> {
    conn.query(
        "WITH of_account AS (
            SELECT account_id, COUNT(*) AS jobs FROM jobs
            WHERE status IN ('offered', 'leased', 'out-of-contact') GROUP BY account_id
         ), turns AS (
            SELECT j.id, j.priority, j.created_at, COALESCE(a.jobs, 0) + ROW_NUMBER() OVER (
                PARTITION BY j.priority, j.account_id ORDER BY j.created_at, j.id) AS turn
            FROM jobs j LEFT JOIN of_account a ON a.account_id = j.account_id
            WHERE j.pool_id = $1 AND j.status = 'queued'
         )
         SELECT COUNT(*) FROM turns t JOIN turns mine ON mine.id = $2
         WHERE t.priority < mine.priority OR (t.priority = mine.priority AND (t.turn < mine.turn
            OR (t.turn = mine.turn AND (t.created_at < mine.created_at
                OR (t.created_at = mine.created_at AND t.id < mine.id)))))",
    )
    .bind(pool)
    .bind(job)
    .fetch_scalar()
    .await
}
