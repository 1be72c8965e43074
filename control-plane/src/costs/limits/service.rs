//! Use cases of limits.

use domain::cost::LimitAction;
use domain::ids::{CostLimitId, EnvironmentId, WorkspaceId};
use domain::permission::Permission;
use serde_json::{Value, json};

use super::model::{CostLimit, LimitChange, MAX_LIMITS, NewLimit};
use super::store;
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::costs::CostError;
use crate::iam::{Authorized, Target, authorize};
use crate::tenancy;
use crate::workspaces::{self, WorkspaceKey};

type Result<T> = std::result::Result<T, CostError>;

/// What limits are asked for or put on.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// By name or id.
    Environment(String),
    Workspace(WorkspaceId),
}

/// A place that the caller may do something with.
struct Found {
    environment: EnvironmentId,
    environment_name: String,
    workspace: Option<(WorkspaceId, String)>,
    proof: Authorized,
}

async fn find(
    conn: &mut db::Conn,
    ctx: &Context,
    place: &Place,
    permission: Permission,
) -> Result<Found> {
    match place {
        Place::Environment(name) => {
            let found = tenancy::find_environment(conn, &ctx.tenant(), name)
                .await?
                .ok_or(CostError::NotFound)?;
            let target = Target::new("organizations", &found.name).in_environment(&found.id);
            Ok(Found {
                environment: found.id,
                environment_name: found.name,
                workspace: None,
                proof: authorize(ctx, permission, target)?,
            })
        }
        Place::Workspace(id) => {
            let key = WorkspaceKey::Id(id.clone());
            let (workspace, proof) = workspaces::load(conn, ctx, &key, permission).await?;
            Ok(Found {
                environment: workspace.environment_id,
                environment_name: workspace.environment_name,
                workspace: Some((workspace.id, workspace.name)),
                proof,
            })
        }
    }
}

/// The limits of a place: of an environment all that are on it, of a workspace all that hold for it.
///
/// # Errors
/// [`CostError::NotFound`] or the refusal.
pub(super) async fn list(app: &App, ctx: &Context, place: &Place) -> Result<Vec<CostLimit>> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let found = find(&mut conn, ctx, place, Permission::CostLimitsRead).await?;
    Ok(match &found.workspace {
        Some((workspace, _)) => {
            store::in_force(&mut conn, &tenant, &found.environment, workspace).await?
        }
        None => store::of_environment(&mut conn, &tenant, &found.environment).await?,
    })
}

/// What the audit log may know: everything.
fn described(limit: &CostLimit) -> Value {
    json!({
        "limit": limit.id, "monthly": limit.monthly, "increase": limit.increase,
        "action": limit.action, "message": limit.message, "version": limit.version,
    })
}

pub(super) async fn create(
    app: &App,
    ctx: &Context,
    place: &Place,
    new: NewLimit,
) -> Result<CostLimit> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let found = find(&mut tx, ctx, place, Permission::CostLimitsManage).await?;
    let now = ctx.now();
    let (workspace_id, workspace_name) = found.workspace.unzip();
    let limit = CostLimit {
        id: CostLimitId::random(),
        environment_id: found.environment,
        environment_name: found.environment_name,
        workspace_id,
        workspace_name,
        monthly: None,
        increase: None,
        action: LimitAction::Warn,
        message: String::new(),
        version: 1,
        created_at: now,
        updated_at: now,
    }
    .with(LimitChange {
        monthly: Some(new.monthly),
        increase: Some(new.increase),
        action: Some(new.action),
        message: Some(new.message),
    })?;
    let workspace = limit.workspace_id.as_ref();
    if store::count(&mut tx, &tenant, &limit.environment_id, workspace).await? >= MAX_LIMITS {
        return Err(CostError::TooMany { limit: MAX_LIMITS });
    }
    store::insert(&mut tx, &tenant, &limit).await?;
    let detail = described(&limit);
    audit::record(&mut tx, ctx, &found.proof, "cost-limit.create", detail).await?;
    tx.commit().await?;
    Ok(limit)
}

async fn load(
    conn: &mut db::Conn,
    ctx: &Context,
    id: &CostLimitId,
    permission: Permission,
) -> Result<(CostLimit, Authorized)> {
    let limit = store::find(conn, &ctx.tenant(), id)
        .await?
        .ok_or(CostError::NotFound)?;
    let mut target = Target::new("cost-limits", id).in_environment(&limit.environment_id);
    if let Some(workspace) = &limit.workspace_id {
        target = target.in_workspace(workspace);
        if let Some(found) = workspaces::find(conn, &ctx.tenant(), workspace).await? {
            target = target.in_project(&found.project_id);
        }
    }
    let proof = authorize(ctx, permission, target)?;
    Ok((limit, proof))
}

pub(super) async fn read(app: &App, ctx: &Context, id: &CostLimitId) -> Result<CostLimit> {
    let mut conn = app.db.acquire().await?;
    Ok(load(&mut conn, ctx, id, Permission::CostLimitsRead)
        .await?
        .0)
}

pub(super) async fn update(
    app: &App,
    ctx: &Context,
    id: &CostLimitId,
    change: LimitChange,
) -> Result<CostLimit> {
    let mut tx = app.db.begin().await?;
    let (before, proof) = load(&mut tx, ctx, id, Permission::CostLimitsManage).await?;
    let old = described(&before);
    let mut limit = before.with(change)?;
    limit.updated_at = ctx.now();
    if !store::update(&mut tx, &ctx.tenant(), &limit).await? {
        return Err(CostError::Changed);
    }
    limit.version += 1;
    let detail = json!({ "before": old, "after": described(&limit) });
    audit::record(&mut tx, ctx, &proof, "cost-limit.update", detail).await?;
    tx.commit().await?;
    Ok(limit)
}

pub(super) async fn delete(app: &App, ctx: &Context, id: &CostLimitId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let (limit, proof) = load(&mut tx, ctx, id, Permission::CostLimitsManage).await?;
    store::delete(&mut tx, &ctx.tenant(), id).await?;
    audit::record(&mut tx, ctx, &proof, "cost-limit.delete", described(&limit)).await?;
    tx.commit().await?;
    Ok(())
}
