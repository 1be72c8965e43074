//! The input of a gate, for who asks the same question again: an analysis of other policies.

use std::collections::HashMap;

use domain::ids::RunId;
use domain::policy::PolicyStage;

use super::input::{self, PolicyInput};
use super::{input_store, perform};
use crate::app::App;
use crate::context::Tenant;
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
    drop(conn);
    let cost = match stage {
        PolicyStage::PrePlan => None,
        PolicyStage::PostPlan => perform::known_cost(app, tenant, &run).await?,
    };
    input::of_run(app, tenant, &run, stage, cost).await
}
