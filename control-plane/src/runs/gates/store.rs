//! Rows of checks and their results. Every function takes the tenant first.

use std::collections::BTreeMap;

use db::{Conn, Json};
use domain::ids::{PolicyResultId, RunId};
use domain::policy::{PolicyCheckStatus, PolicyStage};
use domain::run::RunStatus;
use policy::Verdict;

use super::model::{PolicyCheck, PolicyResult};
use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

#[derive(sqlx::FromRow)]
struct CheckRow {
    run_id: RunId,
    stage: PolicyStage,
    status: PolicyCheckStatus,
    error: Option<String>,
    duration_ms: Option<i64>,
    overridden_by_id: Option<String>,
    overridden_by_name: Option<String>,
    override_comment: Option<String>,
    #[sqlx(json)]
    timestamps: BTreeMap<String, Timestamp>,
    created_at: Timestamp,
}

impl From<CheckRow> for PolicyCheck {
    fn from(row: CheckRow) -> Self {
        Self {
            run_id: row.run_id,
            stage: row.stage,
            status: row.status,
            error: row.error,
            duration_ms: row.duration_ms,
            overridden_by_id: row.overridden_by_id,
            overridden_by_name: row.overridden_by_name,
            override_comment: row.override_comment,
            timestamps: row.timestamps,
            created_at: row.created_at,
        }
    }
}

#[derive(sqlx::FromRow)]
struct ResultRow {
    id: PolicyResultId,
    group_id: String,
    group_name: String,
    revision_id: String,
    overridable: bool,
    #[sqlx(json)]
    verdict: Verdict,
}

/// Says that the policies of a stage will be asked about a run.
pub(crate) async fn announce(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
    stage: PolicyStage,
    now: Timestamp,
) -> Result<()> {
    let timestamps = BTreeMap::from([("queued-at", now)]);
    conn.query(
        "INSERT INTO policy_checks (run_id, stage, account_id, status, timestamps, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (run_id, stage) DO NOTHING",
    )
    .bind(run)
    .bind(stage)
    .bind(tenant.account())
    .bind(PolicyCheckStatus::Pending)
    .bind(Json(&timestamps))
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// A run has ended: what has not been asked won't be asked any more.
pub(in crate::runs) async fn end(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
    status: RunStatus,
) -> Result<()> {
    let word = if status == RunStatus::Canceled {
        PolicyCheckStatus::Canceled
    } else {
        PolicyCheckStatus::Unreachable
    };
    conn.query(
        "UPDATE policy_checks SET status = $3
         WHERE account_id = $1 AND run_id = $2 AND status IN ('pending', 'queued')",
    )
    .bind(tenant.account())
    .bind(run)
    .bind(word)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
    stage: PolicyStage,
) -> Result<Option<PolicyCheck>> {
    let row = conn
        .query(
            "SELECT run_id, stage, status, error, duration_ms, overridden_by_id,
                overridden_by_name, override_comment, timestamps, created_at
             FROM policy_checks WHERE account_id = $1 AND run_id = $2 AND stage = $3",
        )
        .bind(tenant.account())
        .bind(run)
        .bind(stage)
        .fetch_optional::<CheckRow>()
        .await?;
    Ok(row.map(PolicyCheck::from))
}

pub(super) async fn save(conn: &mut Conn, tenant: &Tenant, check: &PolicyCheck) -> Result<()> {
    conn.query(
        "UPDATE policy_checks SET status = $4, error = $5, duration_ms = $6,
            overridden_by_id = $7, overridden_by_name = $8, override_comment = $9,
            timestamps = $10
         WHERE account_id = $1 AND run_id = $2 AND stage = $3",
    )
    .bind(tenant.account())
    .bind(&check.run_id)
    .bind(check.stage)
    .bind(check.status)
    .bind(&check.error)
    .bind(check.duration_ms)
    .bind(&check.overridden_by_id)
    .bind(&check.overridden_by_name)
    .bind(&check.override_comment)
    .bind(Json(&check.timestamps))
    .execute()
    .await?;
    Ok(())
}

/// Writes a check's results in place of what an evaluation that was cut off may have left.
pub(super) async fn replace_results(
    conn: &mut Conn,
    tenant: &Tenant,
    check: &PolicyCheck,
    results: &[PolicyResult],
) -> Result<()> {
    conn.query("DELETE FROM policy_results WHERE account_id = $1 AND run_id = $2 AND stage = $3")
        .bind(tenant.account())
        .bind(&check.run_id)
        .bind(check.stage)
        .execute()
        .await?;
    for (position, result) in (0_i64..).zip(results) {
        conn.query(
            "INSERT INTO policy_results (id, account_id, run_id, stage, position, group_id,
                group_name, revision_id, overridable, verdict)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(&result.id)
        .bind(tenant.account())
        .bind(&check.run_id)
        .bind(check.stage)
        .bind(position)
        .bind(&result.group_id)
        .bind(&result.group_name)
        .bind(&result.revision_id)
        .bind(result.overridable)
        .bind(Json(&result.verdict))
        .execute()
        .await?;
    }
    Ok(())
}

/// A check's results, in the order of groups and policies.
pub(super) async fn results(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
    stage: PolicyStage,
) -> Result<Vec<PolicyResult>> {
    let rows = conn
        .query(
            "SELECT id, group_id, group_name, revision_id, overridable, verdict
             FROM policy_results WHERE account_id = $1 AND run_id = $2 AND stage = $3
             ORDER BY position",
        )
        .bind(tenant.account())
        .bind(run)
        .bind(stage)
        .fetch_all::<ResultRow>()
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| PolicyResult {
            id: row.id,
            group_id: row.group_id,
            group_name: row.group_name,
            revision_id: row.revision_id,
            overridable: row.overridable,
            verdict: row.verdict,
        })
        .collect())
}
