//! Rows of the runs that an analysis looks at.

use db::Conn;
use domain::ids::{EnvironmentId, ImpactAnalysisId, RunId, WorkspaceId};
use domain::policy::JudgedStatus;

use super::model::InScope;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};
use crate::runs::PlannedRun;

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT run_id, environment_id, environment_name, workspace_id,
    workspace_name, run_created_at, status, reason FROM impact_runs ";

/// Rows of one statement.
const AT_ONCE: usize = 100;

#[derive(sqlx::FromRow)]
struct Row {
    run_id: RunId,
    environment_id: EnvironmentId,
    environment_name: String,
    workspace_id: WorkspaceId,
    workspace_name: String,
    run_created_at: Timestamp,
    status: JudgedStatus,
    reason: Option<String>,
}

impl From<Row> for InScope {
    fn from(row: Row) -> Self {
        Self {
            run_id: row.run_id,
            environment_id: row.environment_id,
            environment_name: row.environment_name,
            workspace_id: row.workspace_id,
            workspace_name: row.workspace_name,
            run_created_at: row.run_created_at,
            status: row.status,
            reason: row.reason,
        }
    }
}

/// Takes down which runs are looked at.
pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ImpactAnalysisId,
    runs: &[PlannedRun],
) -> Result<()> {
    for part in runs.chunks(AT_ONCE) {
        let mut statement = conn.build(
            "INSERT INTO impact_runs (analysis_id, run_id, account_id, environment_id,
                environment_name, workspace_id, workspace_name, run_created_at, status, evaluated,
                known, newly_failing, newly_passing, changed) VALUES ",
        );
        for (at, run) in part.iter().enumerate() {
            statement = statement
                .push(if at == 0 { "(" } else { ", (" })
                .bind(id)
                .push(", ")
                .bind(&run.id)
                .push(", ")
                .bind(tenant.account())
                .push(", ")
                .bind(&run.environment_id)
                .push(", ")
                .bind(&run.environment_name)
                .push(", ")
                .bind(&run.workspace_id)
                .push(", ")
                .bind(&run.workspace_name)
                .push(", ")
                .bind(run.created_at)
                .push(", 'waiting', 0, 0, 0, 0, 0)");
        }
        statement
            .push(" ON CONFLICT DO NOTHING")
            .finish()
            .execute()
            .await?;
    }
    Ok(())
}

/// Everything is to be judged anew.
pub(super) async fn reset(conn: &mut Conn, tenant: &Tenant, id: &ImpactAnalysisId) -> Result<()> {
    conn.query("DELETE FROM impact_results WHERE account_id = $1 AND analysis_id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    conn.query(
        "UPDATE impact_runs SET status = 'waiting', reason = NULL, before_input = NULL,
            after_input = NULL, evaluated = 0, known = 0, newly_failing = 0, newly_passing = 0,
            changed = 0
         WHERE account_id = $1 AND analysis_id = $2",
    )
    .bind(tenant.account())
    .bind(id)
    .execute()
    .await?;
    Ok(())
}

/// The runs that are still to be judged, in the order of the matrix.
pub(super) async fn waiting(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ImpactAnalysisId,
) -> Result<Vec<InScope>> {
    let rows = conn
        .build(SELECT)
        .push("WHERE status = 'waiting' AND account_id = ")
        .bind(tenant.account())
        .push(" AND analysis_id = ")
        .bind(id)
        .push(" ORDER BY environment_name, workspace_name, run_id")
        .finish()
        .fetch_all::<Row>()
        .await?;
    Ok(rows.into_iter().map(InScope::from).collect())
}

/// An analysis' runs by environment and workspace; of one status, if it is given.
pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ImpactAnalysisId,
    status: Option<JudgedStatus>,
    page: Page,
) -> Result<Paged<InScope>> {
    let total = conn
        .build("SELECT COUNT(*) FROM impact_runs WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND analysis_id = ")
        .bind(id)
        .push_if(" AND status = ", status)
        .finish()
        .fetch_scalar()
        .await?;
    let rows = conn
        .build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND analysis_id = ")
        .bind(id)
        .push_if(" AND status = ", status)
        .push(" ORDER BY environment_name, workspace_name, run_id LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all::<Row>()
        .await?;
    Ok(Paged {
        items: rows.into_iter().map(InScope::from).collect(),
        total,
    })
}

/// What came of a run.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Why it can't be judged.
    pub(super) reason: Option<String>,
    pub(super) before_input: Option<String>,
    pub(super) after_input: Option<String>,
    pub(super) evaluated: i64,
    pub(super) known: i64,
    pub(super) newly_failing: i64,
    pub(super) newly_passing: i64,
    pub(super) changed: i64,
}

/// Writes what came of a run, if it still waits for that.
pub(super) async fn conclude(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ImpactAnalysisId,
    run: &RunId,
    outcome: &Outcome,
) -> Result<bool> {
    let status = match outcome.reason {
        Some(_) => JudgedStatus::Unjudgeable,
        None => JudgedStatus::Judged,
    };
    let rows = conn
        .query(
            "UPDATE impact_runs SET status = $4, reason = $5, before_input = $6, after_input = $7,
                evaluated = $8, known = $9, newly_failing = $10, newly_passing = $11, changed = $12
             WHERE account_id = $1 AND analysis_id = $2 AND run_id = $3 AND status = 'waiting'",
        )
        .bind(tenant.account())
        .bind(id)
        .bind(run)
        .bind(status)
        .bind(&outcome.reason)
        .bind(&outcome.before_input)
        .bind(&outcome.after_input)
        .bind(outcome.evaluated)
        .bind(outcome.known)
        .bind(outcome.newly_failing)
        .bind(outcome.newly_passing)
        .bind(outcome.changed)
        .execute()
        .await?;
    Ok(rows == 1)
}
