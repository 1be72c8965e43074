//! Rows of checks and their results. Every function takes the tenant first.

use std::collections::BTreeMap;

use db::{Conn, Json};
use domain::ids::RunId;
use domain::policy::{PolicyCheckStatus, PolicyStage};
use domain::run::RunStatus;

use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

/// Says that the policies of a stage will be asked about a run.
pub(in crate::runs) async fn announce(
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
