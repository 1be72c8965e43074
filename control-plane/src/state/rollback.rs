//! Going back: an earlier state becomes the newest, under a serial of its own. History only grows.

use domain::ids::{StateVersionId, WorkspaceId};
use domain::permission::Permission;
use domain::workspace::StateStatus;
use serde_json::json;

use super::copy::ready_to_follow;
use super::create::check_may_create;
use super::error::StateError;
use super::model::{Announced, StateVersion};
use super::prepare::{current_of, make_current};
use super::rules::check_held;
use super::store;
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::workspaces;

type Result<T> = std::result::Result<T, StateError>;

/// Makes the content of `target` the current state of `workspace`, which the caller must hold.
///
/// # Errors
/// [`StateError::NothingToRollBack`] without a current state, [`StateError::EncryptedByClient`] when
/// the content can't be renumbered, [`StateError::Changed`] when the current state changed meanwhile.
pub async fn roll_back(
    app: &App,
    ctx: &Context,
    workspace: &WorkspaceId,
    target: &StateVersionId,
) -> Result<StateVersion> {
    check_may_create(app, ctx, workspace).await?;
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let found = workspaces::find(&mut conn, &tenant, workspace)
        .await?
        .ok_or(StateError::NotFound)?;
    let target = store::find(&mut conn, &tenant, target)
        .await?
        .filter(|it| it.workspace_id == *workspace && it.status == StateStatus::Finalized)
        .ok_or_else(|| StateError::Invalid {
            pointer: "/data/relationships/rollback-state-version",
            detail: "no such state version in this workspace".to_owned(),
        })?;
    let current = current_of(&mut conn, &tenant, &found)
        .await?
        .ok_or(StateError::NothingToRollBack)?;
    drop(conn);
    // The bytes of the target stay its own, so the copy is always another object: its serial can't
    // be higher than the current one, unless a forced push put the current one lower.
    let floor = StateVersion {
        serial: current.serial.max(target.serial),
        ..current.clone()
    };
    let prepared = ready_to_follow(app, &tenant, &target, Some(&floor)).await?;

    let mut tx = app.db.begin().await?;
    let permission = Permission::StateVersionsCreateOutsideRuns;
    let (found, proof) = workspaces::load_locked(&mut tx, ctx, workspace, permission).await?;
    check_held(&found, ctx.actor.kind, &ctx.actor.id)?;
    if found.current_state_version_id.as_ref() != Some(&current.id) {
        return Err(StateError::Changed);
    }
    store::discard_pending(&mut tx, &tenant, workspace).await?;
    let number = workspaces::next_state_number(&mut tx, &tenant, workspace).await?;
    let announced = Announced {
        serial: floor.serial.saturating_add(1),
        lineage: target.lineage.clone(),
        md5: prepared.stored.md5.clone(),
        size: prepared.stored.size,
    };
    let mut version = StateVersion::announced(ctx, &found, number, &announced);
    version.status = StateStatus::Finalized;
    version.rollback_of = Some(target.id.clone());
    prepared.describe(&mut version);
    store::insert(&mut tx, &tenant, &version, None).await?;
    make_current(&mut tx, &tenant, &version, &prepared).await?;
    let detail = json!({ "state_version": version.id, "serial": version.serial,
        "rolled_back_to": target.id, "from": current.id });
    audit::record(&mut tx, ctx, &proof, "state-version.roll-back", detail).await?;
    tx.commit().await?;
    Ok(version)
}
