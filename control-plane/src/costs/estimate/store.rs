//! Rows of estimates. Every function takes the tenant first.

use db::{Conn, Json};
use domain::ids::{CostEstimateId, RunId};

use super::model::CostEstimate;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT id, environment_id, workspace_id, run_id, status, prior_monthly,
        proposed_monthly, delta_monthly, counts, resources, price_book, broken_limits,
        report_blob_id, error, timestamps, created_at
    FROM cost_estimates WHERE account_id = ";

/// Writes a new estimate, unless the run has one.
pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    estimate: &CostEstimate,
) -> Result<()> {
    conn.query(
        "INSERT INTO cost_estimates (id, account_id, environment_id, workspace_id, run_id, status,
            counts, resources, broken_limits, timestamps, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (run_id) DO NOTHING",
    )
    .bind(&estimate.id)
    .bind(tenant.account())
    .bind(&estimate.environment_id)
    .bind(&estimate.workspace_id)
    .bind(&estimate.run_id)
    .bind(estimate.status)
    .bind(Json(&estimate.counts))
    .bind(Json(&estimate.resources))
    .bind(Json(&estimate.broken_limits))
    .bind(Json(&estimate.timestamps))
    .bind(estimate.created_at)
    .execute()
    .await?;
    Ok(())
}

/// Writes how far an estimate has come, if it has not been ended.
pub(super) async fn save(
    conn: &mut Conn,
    tenant: &Tenant,
    estimate: &CostEstimate,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE cost_estimates SET status = $3, prior_monthly = $4, proposed_monthly = $5,
                delta_monthly = $6, counts = $7, resources = $8, price_book = $9,
                broken_limits = $10, report_blob_id = $11, error = $12, timestamps = $13
             WHERE account_id = $1 AND id = $2 AND status IN ('pending', 'queued')",
        )
        .bind(tenant.account())
        .bind(&estimate.id)
        .bind(estimate.status)
        .bind(&estimate.prior_monthly)
        .bind(&estimate.proposed_monthly)
        .bind(&estimate.delta_monthly)
        .bind(Json(&estimate.counts))
        .bind(Json(&estimate.resources))
        .bind(&estimate.price_book)
        .bind(Json(&estimate.broken_limits))
        .bind(&estimate.report_blob_id)
        .bind(&estimate.error)
        .bind(Json(&estimate.timestamps))
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &CostEstimateId,
) -> Result<Option<CostEstimate>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn find_of_run(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
) -> Result<Option<CostEstimate>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND run_id = ")
        .bind(run)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn ids_of_runs(
    conn: &mut Conn,
    tenant: &Tenant,
    runs: &[RunId],
) -> Result<Vec<(RunId, CostEstimateId)>> {
    conn.build("SELECT run_id, id FROM cost_estimates WHERE account_id = ")
        .bind(tenant.account())
        .push_in(" AND run_id IN (", runs.iter())
        .finish()
        .fetch_all()
        .await
}
