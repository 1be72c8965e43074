//! What the policies of a stage were shown of a run.

use std::collections::HashMap;

use db::{Conn, Json};
use domain::ids::{BlobId, RunId};
use domain::policy::PolicyStage;
use policy::input::Run as Facts;

use crate::clock::Timestamp;
use crate::context::Tenant;

#[derive(sqlx::FromRow)]
pub(super) struct InputRow {
    pub plan_blob_id: Option<BlobId>,
    #[sqlx(json)]
    pub facts: Facts,
    pub digest: String,
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
    stage: PolicyStage,
) -> Result<Option<InputRow>, db::Error> {
    conn.query(
        "SELECT plan_blob_id, facts, digest FROM policy_inputs
         WHERE account_id = $1 AND run_id = $2 AND stage = $3",
    )
    .bind(tenant.account())
    .bind(run)
    .bind(stage)
    .fetch_optional()
    .await
}

/// Keeps an input, unless there is one: whoever comes first decides what every later question is
/// about.
pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
    stage: PolicyStage,
    input: &InputRow,
    now: Timestamp,
) -> Result<bool, db::Error> {
    let rows = conn
        .query(
            "INSERT INTO policy_inputs (run_id, stage, account_id, plan_blob_id, facts, digest,
                created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (run_id, stage) DO NOTHING",
        )
        .bind(run)
        .bind(stage)
        .bind(tenant.account())
        .bind(&input.plan_blob_id)
        .bind(Json(&input.facts))
        .bind(&input.digest)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// The digests of what there is of these runs.
pub(super) async fn digests(
    conn: &mut Conn,
    tenant: &Tenant,
    stage: PolicyStage,
    runs: &[&RunId],
) -> Result<HashMap<RunId, String>, db::Error> {
    if runs.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(RunId, String)> = conn
        .build("SELECT run_id, digest FROM policy_inputs WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND stage = ")
        .bind(stage)
        .push_in(" AND run_id IN (", runs.iter().copied())
        .finish()
        .fetch_all()
        .await?;
    Ok(rows.into_iter().collect())
}

/// What there is of these runs.
pub(super) async fn find_all(
    conn: &mut Conn,
    tenant: &Tenant,
    stage: PolicyStage,
    runs: &[&RunId],
) -> Result<Vec<(RunId, InputRow)>, db::Error> {
    #[derive(sqlx::FromRow)]
    struct OfRun {
        run_id: RunId,
        #[sqlx(flatten)]
        input: InputRow,
    }
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<OfRun> = conn
        .build("SELECT run_id, plan_blob_id, facts, digest FROM policy_inputs WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND stage = ")
        .bind(stage)
        .push_in(" AND run_id IN (", runs.iter().copied())
        .finish()
        .fetch_all()
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.run_id, row.input))
        .collect())
}
