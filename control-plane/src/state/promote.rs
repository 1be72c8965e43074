//! A person's decision that a state in quarantine is the right one.

use domain::ids::StateVersionId;
use domain::permission::Permission;
use domain::workspace::{LockKind, StateStatus};
use serde_json::json;

use super::copy::ready_to_follow;
use super::error::StateError;
use super::model::StateVersion;
use super::prepare::{current_of, make_current};
use super::rules::check_held;
use super::store;
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::objects;
use crate::workspaces::{self, Workspace};

type Result<T> = std::result::Result<T, StateError>;

/// The caller holds the workspace, or a run does whose state is uncertain: then nobody else writes
/// it, and deciding is what it waits for.
async fn check_decidable(conn: &mut db::Conn, ctx: &Context, workspace: &Workspace) -> Result<()> {
    if let Some(lock) = &workspace.lock
        && lock.kind == LockKind::Run
        && let Ok(run) = lock.holder_id.parse()
        && store::run_is_uncertain(conn, &ctx.tenant(), &workspace.id, &run).await? == Some(true)
    {
        return Ok(());
    }
    check_held(workspace, ctx.actor.kind, &ctx.actor.id)
}

/// Makes a state from quarantine the current one, under the next serial if its own is taken.
///
/// # Errors
/// [`StateError::NotQuarantined`], [`StateError::NotLocked`], [`StateError::Unreadable`] for what is
/// no state, [`StateError::Changed`] when the current state changed meanwhile.
pub async fn promote(app: &App, ctx: &Context, id: &StateVersionId) -> Result<StateVersion> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let version = store::find(&mut conn, &tenant, id)
        .await?
        .ok_or(StateError::NotFound)?;
    let key = workspaces::WorkspaceKey::Id(version.workspace_id.clone());
    let (workspace, _) = workspaces::load(&mut conn, ctx, &key, Permission::RunsResolve).await?;
    if version.status != StateStatus::Quarantined {
        return Err(StateError::NotQuarantined);
    }
    check_decidable(&mut conn, ctx, &workspace).await?;
    let current = current_of(&mut conn, &tenant, &workspace).await?;
    drop(conn);
    let prepared = ready_to_follow(app, &tenant, &version, current.as_ref()).await?;

    let mut tx = app.db.begin().await?;
    let (workspace, proof) =
        workspaces::load_locked(&mut tx, ctx, &version.workspace_id, Permission::RunsResolve)
            .await?;
    check_decidable(&mut tx, ctx, &workspace).await?;
    if workspace.current_state_version_id != current.map(|it| it.id) {
        return Err(StateError::Changed);
    }
    let kept = version.blob_id.clone();
    let mut version = version;
    prepared.describe(&mut version);
    version.status = StateStatus::Finalized;
    version.number = workspaces::next_state_number(&mut tx, &tenant, &workspace.id).await?;
    if !store::settle(&mut tx, &tenant, &version, StateStatus::Quarantined).await? {
        return Err(StateError::NotQuarantined);
    }
    if let Some(kept) = kept.filter(|kept| *kept != prepared.stored.id) {
        objects::release(&mut tx, &tenant, &kept).await?;
    }
    make_current(&mut tx, &tenant, &version, &prepared).await?;
    let detail = json!({ "state_version": version.id, "serial": version.serial,
        "lineage": version.lineage, "quarantine_reason": version.quarantine_reason });
    audit::record(&mut tx, ctx, &proof, "state-version.promote", detail).await?;
    tx.commit().await?;
    Ok(version)
}
