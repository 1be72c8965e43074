//! The input of a gate, for who asks the same question again: an analysis of other policies.

use std::collections::HashMap;

use domain::ids::{BlobId, RunId};
use domain::policy::PolicyStage;

use super::input::{self, PolicyInput, StoredInput};
use super::{input_store, perform};
use crate::app::App;
use crate::context::Tenant;
use crate::objects;
use crate::runs::error::RunError;
use crate::runs::store as run_store;

/// Digests of the inputs of these runs that have been made: what policies would see needn't be read
/// to know whether their word is known.
///
/// # Errors
/// The database's own.
pub async fn input_digests(
    conn: &mut db::Conn,
    tenant: &Tenant,
    stage: PolicyStage,
    runs: &[&RunId],
) -> Result<HashMap<RunId, String>, RunError> {
    Ok(input_store::digests(conn, tenant, stage, runs).await?)
}

/// The inputs of these runs that have been made, to be read one by one: a plan may be large.
///
/// # Errors
/// A fault.
pub async fn stored_inputs(
    app: &App,
    tenant: &Tenant,
    stage: PolicyStage,
    runs: &[&RunId],
) -> Result<HashMap<RunId, StoredInput>, RunError> {
    let mut conn = app.db.acquire().await?;
    let rows = input_store::find_all(&mut conn, tenant, stage, runs).await?;
    drop(conn);
    let plans: Vec<&BlobId> = rows
        .iter()
        .filter_map(|(_, row)| row.plan_blob_id.as_ref())
        .collect();
    let mut plans = objects::open_all(app, tenant, &plans).await?;
    Ok(rows
        .into_iter()
        .filter_map(|(run, row)| {
            let plan = match &row.plan_blob_id {
                // One whose plan is gone is told about by who asks for it alone.
                Some(blob) => Some(plans.remove(blob)?),
                None => None,
            };
            Some((run, StoredInput::of(row, plan)))
        })
        .collect())
}

/// The input of a run's stage; made now for a run that no policy was asked about.
///
/// # Errors
/// As [`input::of_run`].
pub async fn input_again(
    app: &App,
    tenant: &Tenant,
    run: &RunId,
    stage: PolicyStage,
) -> Result<PolicyInput, RunError> {
    let mut conn = app.db.acquire().await?;
    let run = run_store::find(&mut conn, tenant, run)
        .await?
        .ok_or(RunError::NotFound)?;
    let known = input_store::find(&mut conn, tenant, &run.id, stage).await?;
    drop(conn);
    let cost = match stage {
        // What is kept is about the cost of its time.
        _ if known.is_some() => None,
        PolicyStage::PrePlan => None,
        PolicyStage::PostPlan => perform::known_cost(app, tenant, &run).await?,
    };
    input::of_run(app, tenant, &run, stage, cost).await
}
