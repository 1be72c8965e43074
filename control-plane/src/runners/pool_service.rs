//! Use cases of pools.

use std::collections::HashMap;

use domain::ids::{EnvironmentId, RunnerPoolId, WorkspaceId};
use domain::permission::Permission;
use serde_json::json;

use super::agent_service::REVOKED;
use super::demands::{Demands, Offered};
use super::error::RunnerError;
use super::model::{NewPool, Pool, PoolChange};
use super::pool_store as store;
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::iam::{Authorized, Target, authorize};
use crate::tenancy::{self, Environment};

type Result<T> = std::result::Result<T, RunnerError>;

/// Longest name of a pool, in bytes.
const MAX_NAME: usize = 90;
/// Workspaces that a pool lists at most.
const MAX_BOUND: i64 = 10_000;

/// The workspaces of each pool.
pub(super) type Bound = HashMap<RunnerPoolId, Vec<WorkspaceId>>;

fn check_name(name: &str) -> Result<()> {
    let fits = !name.trim().is_empty()
        && name.len() <= MAX_NAME
        && name.trim() == name
        && !name.chars().any(char::is_control);
    if fits {
        return Ok(());
    }
    Err(RunnerError::invalid(
        "name",
        format!("{name:?}: use 1 to {MAX_NAME} printable characters, no spaces around them"),
    ))
}

fn name_taken(error: db::Error) -> RunnerError {
    if error.is_unique_violation() {
        RunnerError::NameTaken
    } else {
        error.into()
    }
}

/// Loads a pool that the caller may do `permission` on.
pub(super) async fn load(
    conn: &mut db::Conn,
    ctx: &Context,
    id: &RunnerPoolId,
    permission: Permission,
) -> Result<(Pool, Authorized)> {
    let pool = store::find(conn, &ctx.tenant(), id)
        .await?
        .ok_or(RunnerError::NotFound)?;
    let proof = authorize(ctx, permission, Target::new("agent-pools", id))?;
    Ok((pool, proof))
}

async fn environment(conn: &mut db::Conn, ctx: &Context, name: &str) -> Result<Environment> {
    tenancy::find_environment(conn, &ctx.tenant(), name)
        .await?
        .ok_or(RunnerError::NotFound)
}

/// The account's pools: every environment of it may use each.
pub(super) async fn list(
    app: &App,
    ctx: &Context,
    organization: &str,
    search: Option<&str>,
    page: Page,
) -> Result<(Paged<Pool>, Bound)> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let environment = environment(&mut conn, ctx, organization).await?;
    let target = Target::new("environments", &environment.id).in_environment(&environment.id);
    authorize(ctx, Permission::RunnerPoolsRead, target)?;
    let found = store::list(&mut conn, &tenant, search, page).await?;
    let bound = bound(&mut conn, &tenant, None).await?;
    Ok((found, bound))
}

async fn bound(conn: &mut db::Conn, tenant: &Tenant, pool: Option<&RunnerPoolId>) -> Result<Bound> {
    let mut bound = Bound::new();
    for (pool, workspace) in store::bound(conn, tenant, pool, MAX_BOUND).await? {
        bound.entry(pool).or_default().push(workspace);
    }
    Ok(bound)
}

pub(super) async fn read(app: &App, ctx: &Context, id: &RunnerPoolId) -> Result<(Pool, Bound)> {
    let mut conn = app.db.acquire().await?;
    let (pool, _) = load(&mut conn, ctx, id, Permission::RunnerPoolsRead).await?;
    let bound = bound(&mut conn, &ctx.tenant(), Some(id)).await?;
    Ok((pool, bound))
}

/// Makes a pool.
///
/// # Errors
/// [`RunnerError::NameTaken`], [`RunnerError::Invalid`].
pub(super) async fn create(
    app: &App,
    ctx: &Context,
    organization: &str,
    name: String,
    demands: Demands,
) -> Result<Pool> {
    let mut tx = app.db.begin().await?;
    let environment: EnvironmentId = environment(&mut tx, ctx, organization).await?.id;
    let id = RunnerPoolId::random();
    let target = Target::new("agent-pools", &id);
    let proof = authorize(ctx, Permission::RunnerPoolsManage, target)?;
    check_name(&name)?;
    let new = NewPool {
        name,
        environment,
        demands,
    };
    store::insert(&mut tx, &ctx.tenant(), &id, &new, ctx.now())
        .await
        .map_err(name_taken)?;
    let pool = store::find(&mut tx, &ctx.tenant(), &id)
        .await?
        .ok_or(RunnerError::NotFound)?;
    audit::record(&mut tx, ctx, &proof, "runner-pool.create", facts(&pool)).await?;
    tx.commit().await?;
    Ok(pool)
}

fn facts(pool: &Pool) -> serde_json::Value {
    json!({
        "name": pool.name, "minimum_sandbox": pool.minimum_sandbox,
        "refuse_reachable_metadata": pool.refuse_reachable_metadata,
    })
}

/// Changes a pool. Demands hold for the next job: running ones go on.
pub(super) async fn update(
    app: &App,
    ctx: &Context,
    id: &RunnerPoolId,
    change: PoolChange,
) -> Result<(Pool, Bound)> {
    let mut tx = app.db.begin().await?;
    store::lock(&mut tx, id).await?;
    let (mut pool, proof) = load(&mut tx, ctx, id, Permission::RunnerPoolsManage).await?;
    let before = facts(&pool);
    if let Some(name) = change.name {
        check_name(&name)?;
        pool.name = name;
    }
    if let Some(level) = change.minimum_sandbox {
        pool.minimum_sandbox = level.as_str().to_owned();
    }
    pool.refuse_reachable_metadata = change
        .refuse_reachable_metadata
        .unwrap_or(pool.refuse_reachable_metadata);
    store::update(&mut tx, &ctx.tenant(), &pool)
        .await
        .map_err(name_taken)?;
    let detail = json!({ "before": before, "after": facts(&pool) });
    audit::record(&mut tx, ctx, &proof, "runner-pool.update", detail).await?;
    let bound = bound(&mut tx, &ctx.tenant(), Some(id)).await?;
    tx.commit().await?;
    app.signals.dispatch.wake();
    Ok((pool, bound))
}

/// Deletes a pool that nothing uses, with its join tokens and its runners: they are revoked.
///
/// # Errors
/// [`RunnerError::PoolInUse`], [`RunnerError::DefaultPool`].
pub(super) async fn delete(app: &App, ctx: &Context, id: &RunnerPoolId) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    store::lock(&mut tx, id).await?;
    let (pool, proof) = load(&mut tx, ctx, id, Permission::RunnerPoolsManage).await?;
    if pool.is_default {
        return Err(RunnerError::DefaultPool);
    }
    let workspaces = store::bound(&mut tx, &tenant, Some(id), MAX_BOUND)
        .await?
        .len();
    let jobs = store::unfinished_jobs(&mut tx, &tenant, id).await?;
    if workspaces > 0 || jobs > 0 {
        return Err(RunnerError::PoolInUse {
            users: format!("{workspaces} workspaces and {jobs} unfinished jobs"),
        });
    }
    store::delete(&mut tx, &tenant, id, ctx.now()).await?;
    audit::record(&mut tx, ctx, &proof, "runner-pool.delete", facts(&pool)).await?;
    tx.notify(REVOKED);
    tx.commit().await?;
    Ok(())
}

// ── for the gateway and the queue ──────────────────────────────────────────────────────────────

/// What a pool demands of its runners.
///
/// # Errors
/// The database's own.
pub async fn demands(
    conn: &mut db::Conn,
    pool: &RunnerPoolId,
) -> std::result::Result<Demands, db::Error> {
    let found = store::demands(conn, pool).await?;
    Ok(found.map_or_else(Demands::default, |(level, refuse)| {
        Demands::of_row(&level, refuse)
    }))
}

/// Who is there for the jobs of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub connected: usize,
    /// Those among them that meet the pool's demands.
    pub fitting: usize,
}

/// Who is there for the jobs of a pool, a thousand at most; `of_fetch`: for a fetch that is for no
/// run.
///
/// # Errors
/// The database's own.
pub async fn standing(
    conn: &mut db::Conn,
    tenant: &Tenant,
    pool: &RunnerPoolId,
    of_fetch: bool,
) -> std::result::Result<Standing, db::Error> {
    let demands = demands(conn, pool).await?;
    let connected = store::connected(conn, tenant, pool).await?;
    let fitting = connected
        .iter()
        .map(|(capabilities,)| Offered::of_capabilities(&capabilities.0))
        .filter(|offered| demands.met_by(*offered) && (offered.fetches_of_no_run || !of_fetch))
        .count();
    Ok(Standing {
        connected: connected.len(),
        fitting,
    })
}
