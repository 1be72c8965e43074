//! Use cases of a workspace's lock.

use domain::access::ActorKind;
use domain::ids::WorkspaceId;
use domain::permission::Permission;
use domain::workspace::LockKind;
use serde_json::json;

use super::error::WorkspaceError;
use super::lock::Lock;
use super::model::Workspace;
use super::service::load_locked;
use super::store;
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};

type Result<T> = std::result::Result<T, WorkspaceError>;

/// Locks a workspace for the calling user, or does nothing for the run that already holds it.
pub async fn lock(app: &App, ctx: &Context, id: &WorkspaceId, reason: &str) -> Result<Workspace> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (mut workspace, proof) = load_locked(&mut tx, ctx, id, Permission::WorkspacesLock).await?;
    let wanted = Lock {
        kind: lock_kind(ctx),
        holder_id: ctx.actor.id.clone(),
        holder_name: ctx.actor.name.clone(),
        reason: reason.chars().take(1000).collect(),
        since: ctx.now(),
    };
    match &workspace.lock {
        // A run's own Terraform locks what the run already holds.
        Some(held) if held.kind == LockKind::Run && held.holder_id == wanted.holder_id => {
            return Ok(workspace);
        }
        Some(held) => {
            return Err(WorkspaceError::AlreadyLocked {
                holder: held.holder_name.clone(),
            });
        }
        None => {}
    }
    set_lock(&mut tx, &tenant, &mut workspace, Some(wanted)).await?;
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "workspace.lock",
        json!({ "reason": reason }),
    )
    .await?;
    tx.commit().await?;
    app.signals.queue.wake();
    Ok(workspace)
}

fn lock_kind(ctx: &Context) -> LockKind {
    match ctx.actor.kind {
        ActorKind::Run => LockKind::Run,
        ActorKind::User
        | ActorKind::ServiceAccount
        | ActorKind::Team
        | ActorKind::Environment
        | ActorKind::Runner
        | ActorKind::System => LockKind::User,
    }
}

/// Gives the caller's own lock back.
pub async fn unlock(app: &App, ctx: &Context, id: &WorkspaceId) -> Result<Workspace> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (mut workspace, proof) = load_locked(&mut tx, ctx, id, Permission::WorkspacesLock).await?;
    let held = workspace.lock.as_ref().ok_or(WorkspaceError::NotLocked)?;
    held.check_released_by(lock_kind(ctx), &ctx.actor.id)?;
    if held.kind == LockKind::Run {
        // The run machine gives a run's lock back, when the run is over.
        return Ok(workspace);
    }
    if store::has_pending_state(&mut tx, &tenant, id, held.since).await? {
        return Err(WorkspaceError::StatePending);
    }
    set_lock(&mut tx, &tenant, &mut workspace, None).await?;
    audit::record(&mut tx, ctx, &proof, "workspace.unlock", json!({})).await?;
    tx.commit().await?;
    app.signals.queue.wake();
    Ok(workspace)
}

/// Takes anybody's lock away, except that of a run: a run ends by its own rules.
pub async fn force_unlock(app: &App, ctx: &Context, id: &WorkspaceId) -> Result<Workspace> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (mut workspace, proof) =
        load_locked(&mut tx, ctx, id, Permission::WorkspacesForceUnlock).await?;
    let held = workspace.lock.clone().ok_or(WorkspaceError::NotLocked)?;
    if held.kind == LockKind::Run {
        return Err(WorkspaceError::LockedByOther {
            holder: format!("Run {}", held.holder_id),
        });
    }
    set_lock(&mut tx, &tenant, &mut workspace, None).await?;
    let detail = json!({ "held_by": held.holder_id, "since": held.since });
    audit::record(&mut tx, ctx, &proof, "workspace.force-unlock", detail).await?;
    tx.commit().await?;
    app.signals.queue.wake();
    Ok(workspace)
}

pub(super) async fn set_lock(
    tx: &mut db::Tx,
    tenant: &Tenant,
    workspace: &mut Workspace,
    lock: Option<Lock>,
) -> Result<()> {
    if !store::set_lock(tx, tenant, &workspace.id, workspace.version, lock.as_ref()).await? {
        return Err(WorkspaceError::Changed);
    }
    workspace.lock = lock;
    workspace.version += 1;
    Ok(())
}
