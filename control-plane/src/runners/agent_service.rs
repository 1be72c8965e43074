//! Runners as people see them, and their revocation.

use chrono::TimeDelta;
use domain::ids::{RunnerId, RunnerPoolId};
use domain::permission::Permission;
use serde_json::json;

use super::agent_store as store;
use super::demands::Demands;
use super::error::RunnerError;
use super::model::Agent;
use super::pool_service;
use crate::app::App;
use crate::audit;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::http::page::{Page, Paged};
use crate::iam::{Target, authorize};

type Result<T> = std::result::Result<T, RunnerError>;

/// The channel on which gateways hear that a runner was revoked.
pub const REVOKED: &str = "runners-revoked";

/// How much longer than its certificate a revoked runner is remembered by gateways: a connection
/// outlives its certificate a little, and clocks differ.
const MARGIN: TimeDelta = TimeDelta::hours(1);

/// The runners of a pool, with what the pool demands of them.
pub(super) async fn list(
    app: &App,
    ctx: &Context,
    pool: &RunnerPoolId,
    since: Option<Timestamp>,
    page: Page,
) -> Result<(Demands, Paged<Agent>)> {
    let mut conn = app.db.acquire().await?;
    let (pool, _) = pool_service::load(&mut conn, ctx, pool, Permission::RunnerPoolsRead).await?;
    let found = store::list(&mut conn, &ctx.tenant(), &pool.id, since, page).await?;
    Ok((pool.demands(), found))
}

pub(super) async fn read(app: &App, ctx: &Context, id: &RunnerId) -> Result<(Demands, Agent)> {
    let mut conn = app.db.acquire().await?;
    let agent = store::find(&mut conn, &ctx.tenant(), id)
        .await?
        .ok_or(RunnerError::NotFound)?;
    authorize(
        ctx,
        Permission::RunnerPoolsRead,
        Target::new("agents", &agent.id),
    )?;
    let demands = pool_service::demands(&mut conn, &agent.pool_id).await?;
    Ok((demands, agent))
}

/// Revokes a runner: its live connections are closed by every gateway at once, and it can neither
/// connect nor renew nor get its identity back. Its jobs go the way of a lost runner's; what it
/// still has of their states it may deliver into quarantine.
pub(super) async fn revoke(app: &App, ctx: &Context, id: &RunnerId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let agent = store::find(&mut tx, &ctx.tenant(), id)
        .await?
        .ok_or(RunnerError::NotFound)?;
    let proof = authorize(
        ctx,
        Permission::RunnerPoolsManage,
        Target::new("agents", &agent.id),
    )?;
    if !store::revoke(&mut tx, &ctx.tenant(), id, ctx.now()).await? {
        return Err(RunnerError::NotFound);
    }
    let detail = json!({
        "name": agent.name, "pool": agent.pool_id, "jobs": agent.jobs,
        "address": agent.remote_address,
    });
    audit::record(&mut tx, ctx, &proof, "runner.revoke", detail).await?;
    tx.notify(REVOKED);
    tx.commit().await?;
    Ok(())
}

/// The runners that gateways must refuse.
///
/// # Errors
/// The database's own.
pub async fn revoked(app: &App) -> Result<Vec<RunnerId>> {
    let mut conn = app.db.acquire().await?;
    let found = store::revoked(&mut conn, app.clock.now() - MARGIN).await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}
