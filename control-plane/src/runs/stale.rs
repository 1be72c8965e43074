//! Saved plans go stale: the state that they were made from is no longer the workspace's.
//!
//! Terraform refuses such a plan itself, but only at a runner, after the workspace was taken, and
//! not when a forced push repeats serial and lineage. So it is looked at when somebody confirms, and
//! again when the run's turn comes: a state may be pushed or rolled back while it waits.

use domain::run::RunStatus;

use super::error::RunError;
use super::machine::Event;
use super::model::Run;
use super::transition::{transition, wake_after};
use super::{queue, store};
use crate::app::App;
use crate::context::{Context, Tenant};
use crate::{state, workspaces};

/// When the runner took the plan, as the run's history names it.
const PLANNED_FROM: &str = "planning-at";

/// Why a saved plan is stale, if it is.
///
/// # Errors
/// The database's own.
pub(super) async fn reason(
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &Run,
) -> Result<Option<String>, RunError> {
    let waits = matches!(
        run.status(),
        RunStatus::PlannedAndSaved | RunStatus::Confirmed
    );
    let Some(planned) = run.timestamps.get(PLANNED_FROM).filter(|_| waits) else {
        return Ok(None);
    };
    let current = state::current_version(conn, tenant, &run.workspace_id).await?;
    Ok(current.filter(|it| it.created_at > *planned).map(|it| {
        format!(
            "the workspace has a newer state ({}, serial {}) than this plan was made from",
            it.id, it.serial
        )
    }))
}

/// Discards a saved plan that is stale, and says so; otherwise nothing changes.
///
/// # Errors
/// [`RunError::PlanStale`].
pub(super) async fn refuse(app: &App, ctx: &Context, run: &Run) -> Result<(), RunError> {
    if !run.state.save_plan {
        return Ok(());
    }
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    workspaces::lock_and_find(&mut tx, &tenant, &run.workspace_id).await?;
    let mut run = store::find(&mut tx, &tenant, &run.id)
        .await?
        .ok_or(RunError::NotFound)?;
    let Some(reason) = reason(&mut tx, &tenant, &run).await? else {
        return Ok(());
    };
    transition(
        app,
        &mut tx,
        ctx,
        &mut run,
        &Event::PlanStale,
        Some(&reason),
    )
    .await?;
    queue::start_ready(app, &mut tx, ctx, &run.workspace_id).await?;
    tx.commit().await?;
    wake_after(app, &run);
    Err(RunError::PlanStale { reason })
}
