//! Rows of analyses and their policies. Every function takes the tenant first, but for those of the
//! reconciler.

use std::collections::HashMap;

use db::Conn;
use domain::ids::{AccountId, ImpactAnalysisId, PolicyGroupId, PolicyRevisionId};
use domain::policy::AnalysisStatus;
use policy::Enforcement;

use super::model::{Analysis, Compared, Counts, Side};
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};
use crate::problem::Fault;

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT id, account_id, group_id, revision_id, base_revision_id, status,
    error_message, created_by, created_at, started_at, finished_at FROM impact_analyses ";

#[derive(sqlx::FromRow)]
struct Row {
    id: ImpactAnalysisId,
    account_id: AccountId,
    group_id: PolicyGroupId,
    revision_id: PolicyRevisionId,
    base_revision_id: Option<PolicyRevisionId>,
    status: AnalysisStatus,
    error_message: Option<String>,
    created_by: String,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

impl From<Row> for Analysis {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            account_id: row.account_id,
            group_id: row.group_id,
            revision_id: row.revision_id,
            base_revision_id: row.base_revision_id,
            status: row.status,
            error_message: row.error_message,
            created_by: row.created_by,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            counts: Counts::default(),
        }
    }
}

pub(super) async fn insert(conn: &mut Conn, tenant: &Tenant, analysis: &Analysis) -> Result<()> {
    conn.query(
        "INSERT INTO impact_analyses (id, account_id, group_id, revision_id, base_revision_id,
            status, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&analysis.id)
    .bind(tenant.account())
    .bind(&analysis.group_id)
    .bind(&analysis.revision_id)
    .bind(&analysis.base_revision_id)
    .bind(analysis.status)
    .bind(&analysis.created_by)
    .bind(analysis.created_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ImpactAnalysisId,
) -> Result<Option<Analysis>> {
    let row = conn
        .build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND id = ")
        .bind(id)
        .finish()
        .fetch_optional::<Row>()
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut found = [Analysis::from(row)];
    count(conn, tenant, &mut found).await?;
    let [found] = found;
    Ok(Some(found))
}

/// A group's analyses, the newest first.
pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    group: &PolicyGroupId,
    page: Page,
) -> Result<Paged<Analysis>> {
    let total = conn
        .query("SELECT COUNT(*) FROM impact_analyses WHERE account_id = $1 AND group_id = $2")
        .bind(tenant.account())
        .bind(group)
        .fetch_scalar()
        .await?;
    let rows = conn
        .build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND group_id = ")
        .bind(group)
        .push(" ORDER BY created_at DESC, id LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all::<Row>()
        .await?;
    let mut items: Vec<Analysis> = rows.into_iter().map(Analysis::from).collect();
    count(conn, tenant, &mut items).await?;
    Ok(Paged { items, total })
}

/// How many analyses of a group have not come to an end.
pub(super) async fn open(conn: &mut Conn, tenant: &Tenant, group: &PolicyGroupId) -> Result<i64> {
    conn.query(
        "SELECT COUNT(*) FROM impact_analyses WHERE account_id = $1 AND group_id = $2
            AND status IN ('pending', 'running')",
    )
    .bind(tenant.account())
    .bind(group)
    .fetch_scalar()
    .await
}

#[derive(sqlx::FromRow)]
struct CountRow {
    analysis_id: ImpactAnalysisId,
    runs: i64,
    judged: i64,
    unjudgeable: i64,
    evaluated: i64,
    known: i64,
    newly_failing: i64,
    newly_passing: i64,
    changed: i64,
}

/// Fills in the counts, which are sums over rows: so they are right whatever happened on the way.
async fn count(conn: &mut Conn, tenant: &Tenant, analyses: &mut [Analysis]) -> Result<()> {
    if analyses.is_empty() {
        return Ok(());
    }
    let rows = conn
        .build(
            "SELECT analysis_id, COUNT(*) AS runs,
                COUNT(CASE WHEN status = 'judged' THEN 1 END) AS judged,
                COUNT(CASE WHEN status = 'unjudgeable' THEN 1 END) AS unjudgeable,
                CAST(SUM(evaluated) AS BIGINT) AS evaluated, CAST(SUM(known) AS BIGINT) AS known,
                CAST(SUM(newly_failing) AS BIGINT) AS newly_failing,
                CAST(SUM(newly_passing) AS BIGINT) AS newly_passing,
                CAST(SUM(changed) AS BIGINT) AS changed
             FROM impact_runs WHERE account_id = ",
        )
        .bind(tenant.account())
        .push_in(" AND analysis_id IN (", analyses.iter().map(|it| &it.id))
        .push(" GROUP BY analysis_id")
        .finish()
        .fetch_all::<CountRow>()
        .await?;
    let policies: Vec<(ImpactAnalysisId, i64)> = conn
        .build("SELECT analysis_id, COUNT(*) FROM impact_policies WHERE account_id = ")
        .bind(tenant.account())
        .push_in(" AND analysis_id IN (", analyses.iter().map(|it| &it.id))
        .push(" GROUP BY analysis_id")
        .finish()
        .fetch_all()
        .await?;
    let policies: HashMap<ImpactAnalysisId, i64> = policies.into_iter().collect();
    for analysis in analyses {
        let counts = &mut analysis.counts;
        counts.policies = policies.get(&analysis.id).copied().unwrap_or(0);
        if let Some(row) = rows.iter().find(|row| row.analysis_id == analysis.id) {
            *counts = Counts {
                policies: counts.policies,
                runs: row.runs,
                judged: row.judged,
                unjudgeable: row.unjudgeable,
                evaluated: row.evaluated,
                known: row.known,
                newly_failing: row.newly_failing,
                newly_passing: row.newly_passing,
                changed: row.changed,
            };
        }
    }
    Ok(())
}

/// From waiting to work, with what it is compared with from now on.
pub(super) async fn begin(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ImpactAnalysisId,
    base: Option<&PolicyRevisionId>,
    now: Timestamp,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE impact_analyses SET status = 'running', started_at = $3, base_revision_id = $4
             WHERE account_id = $1 AND id = $2 AND status = 'pending'",
        )
        .bind(tenant.account())
        .bind(id)
        .bind(now)
        .bind(base)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Ends an analysis that is open.
pub(super) async fn end(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ImpactAnalysisId,
    status: AnalysisStatus,
    error: Option<&str>,
    now: Timestamp,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE impact_analyses SET status = $3, error_message = $4, finished_at = $5,
                claimed_until = NULL
             WHERE account_id = $1 AND id = $2 AND status IN ('pending', 'running')",
        )
        .bind(tenant.account())
        .bind(id)
        .bind(status)
        .bind(error)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

#[derive(sqlx::FromRow)]
struct PolicyRow {
    name: String,
    before_level: Option<String>,
    before_digest: Option<String>,
    before_error: Option<String>,
    after_level: Option<String>,
    after_digest: Option<String>,
    after_error: Option<String>,
}

fn side(
    level: Option<String>,
    digest: Option<String>,
    error: Option<String>,
) -> std::result::Result<Option<Side>, Fault> {
    let Some((level, digest)) = level.zip(digest) else {
        return Ok(None);
    };
    let level = Enforcement::parse(&level).ok_or(Fault::Unreadable {
        what: "the level of a policy",
    })?;
    Ok(Some(Side {
        level,
        digest,
        error,
    }))
}

/// The policies of an analysis, by name.
pub(super) async fn policies(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ImpactAnalysisId,
) -> std::result::Result<Vec<Compared>, Fault> {
    let rows: Vec<PolicyRow> = conn
        .query(
            "SELECT name, before_level, before_digest, before_error, after_level, after_digest,
                after_error
             FROM impact_policies WHERE account_id = $1 AND analysis_id = $2 ORDER BY name",
        )
        .bind(tenant.account())
        .bind(id)
        .fetch_all()
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Compared {
                name: row.name,
                before: side(row.before_level, row.before_digest, row.before_error)?,
                after: side(row.after_level, row.after_digest, row.after_error)?,
            })
        })
        .collect()
}

/// Writes an analysis' policies anew.
pub(super) async fn replace_policies(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ImpactAnalysisId,
    policies: &[Compared],
) -> Result<()> {
    conn.query("DELETE FROM impact_policies WHERE account_id = $1 AND analysis_id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    for policy in policies {
        let (before, after) = (policy.before.as_ref(), policy.after.as_ref());
        conn.query(
            "INSERT INTO impact_policies (analysis_id, name, account_id, before_level,
                before_digest, before_error, after_level, after_digest, after_error)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(id)
        .bind(&policy.name)
        .bind(tenant.account())
        .bind(before.map(|it| it.level.as_str()))
        .bind(before.map(|it| &it.digest))
        .bind(before.and_then(|it| it.error.as_ref()))
        .bind(after.map(|it| it.level.as_str()))
        .bind(after.map(|it| &it.digest))
        .bind(after.and_then(|it| it.error.as_ref()))
        .execute()
        .await?;
    }
    Ok(())
}

/// An analysis that somebody should work on.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Waiting {
    pub(super) account_id: AccountId,
    pub(super) id: ImpactAnalysisId,
}

/// Analyses of all accounts that nobody works on, oldest first. One whose revision is not checked
/// yet waits for that.
pub(super) async fn waiting(conn: &mut Conn, now: Timestamp, limit: i64) -> Result<Vec<Waiting>> {
    conn.query(
        "SELECT a.account_id, a.id
         FROM impact_analyses a JOIN policy_revisions r ON r.id = a.revision_id
         WHERE a.status IN ('pending', 'running')
            AND r.status NOT IN ('pending', 'fetching', 'checking')
            AND (a.claimed_until IS NULL OR a.claimed_until < $1)
         ORDER BY a.created_at, a.id LIMIT $2",
    )
    .bind(now)
    .bind(limit)
    .fetch_all()
    .await
}

/// Takes an analysis for this process until `until`, unless another has it.
pub(super) async fn claim(
    conn: &mut Conn,
    at: &Waiting,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE impact_analyses SET claimed_until = $4 WHERE account_id = $1 AND id = $2
                AND status IN ('pending', 'running')
                AND (claimed_until IS NULL OR claimed_until < $3)",
        )
        .bind(&at.account_id)
        .bind(&at.id)
        .bind(now)
        .bind(until)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Keeps a claim while the work takes long, or gives it up early.
pub(super) async fn reclaim(conn: &mut Conn, at: &Waiting, until: Timestamp) -> Result<()> {
    conn.query(
        "UPDATE impact_analyses SET claimed_until = $3 WHERE account_id = $1 AND id = $2
            AND claimed_until IS NOT NULL",
    )
    .bind(&at.account_id)
    .bind(&at.id)
    .bind(until)
    .execute()
    .await?;
    Ok(())
}

/// Deletes a group's finished analyses but for the `kept` newest.
pub(super) async fn delete_surplus(
    conn: &mut Conn,
    tenant: &Tenant,
    group: &PolicyGroupId,
    kept: i64,
) -> Result<()> {
    conn.query(
        "DELETE FROM impact_analyses WHERE account_id = $1 AND group_id = $2
            AND status NOT IN ('pending', 'running')
            AND id NOT IN (SELECT id FROM impact_analyses WHERE account_id = $1 AND group_id = $2
                ORDER BY created_at DESC, id LIMIT $3)",
    )
    .bind(tenant.account())
    .bind(group)
    .bind(kept)
    .execute()
    .await?;
    Ok(())
}

/// Deletes what ended before `before`, of all accounts.
pub(super) async fn delete_older(conn: &mut Conn, before: Timestamp) -> Result<u64> {
    conn.query("DELETE FROM impact_analyses WHERE finished_at < $1")
        .bind(before)
        .execute()
        .await
}
