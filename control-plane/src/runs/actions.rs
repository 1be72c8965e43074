//! What people do to a run: confirm, discard, cancel, force, resolve.

use domain::ids::RunId;
use domain::permission::Permission;
use domain::run::RunStatus;
use serde_json::json;

use super::error::RunError;
use super::machine::{Event, FORCE_CANCEL_AFTER, force_cancel_at};
use super::model::Run;
use super::service::load;
use super::transition::{advance, wake_after};
use super::{queue, stale, store};
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::workspaces;

type Result<T> = std::result::Result<T, RunError>;

/// What a person can do to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Apply,
    Discard,
    Cancel,
    ForceCancel,
    /// The uncertain state is right: give the workspace back.
    Resolve,
}

impl Action {
    fn event(self) -> Event {
        match self {
            Self::Apply => Event::Confirm,
            Self::Discard => Event::Discard,
            Self::Cancel => Event::Cancel,
            Self::ForceCancel => Event::ForceCancel,
            Self::Resolve => Event::Resolve,
        }
    }

    fn permission(self) -> Permission {
        match self {
            Self::Apply | Self::Discard => Permission::RunsApply,
            Self::Cancel => Permission::RunsCancel,
            Self::ForceCancel => Permission::RunsForceCancel,
            Self::Resolve => Permission::RunsResolve,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Apply => "run.apply",
            Self::Discard => "run.discard",
            Self::Cancel => "run.cancel",
            Self::ForceCancel => "run.force-cancel",
            Self::Resolve => "run.resolve",
        }
    }
}

/// Does `action` to a run in the caller's name.
///
/// # Errors
/// The refusal, or [`RunError::Illegal`] when the run's status doesn't allow it.
pub async fn act(
    app: &App,
    ctx: &Context,
    id: &RunId,
    action: Action,
    comment: Option<&str>,
) -> Result<Run> {
    let (run, proof) = load(app, ctx, id, action.permission()).await?;
    if action == Action::ForceCancel
        && force_cancel_at(&run.state).is_none_or(|at| ctx.now() < at)
        && matches!(run.status(), RunStatus::Planning | RunStatus::Applying)
    {
        return Err(RunError::ForceCancelTooEarly {
            seconds: FORCE_CANCEL_AFTER.num_seconds(),
        });
    }
    let asked_before = action == Action::Cancel && run.state.cancel_requested_at.is_some();
    if asked_before && !run.status().is_final() {
        return Ok(run);
    }
    if action == Action::Apply {
        Box::pin(stale::refuse(app, ctx, &run)).await?;
    }
    let run = with_queue(app, ctx, &run, action, comment).await?;
    let mut tx = app.db.begin().await?;
    audit::record(
        &mut tx,
        ctx,
        &proof,
        action.word(),
        json!({ "comment": comment }),
    )
    .await?;
    tx.commit().await?;
    Ok(run)
}

/// A confirmed saved plan may start at once: the queue is asked in the same breath.
async fn with_queue(
    app: &App,
    ctx: &Context,
    run: &Run,
    action: Action,
    comment: Option<&str>,
) -> Result<Run> {
    let run = advance(app, ctx, run, &action.event(), comment).await?;
    if run.status() == RunStatus::Confirmed {
        let tenant = ctx.tenant();
        let mut tx = app.db.begin().await?;
        workspaces::lock_and_find(&mut tx, &tenant, &run.workspace_id).await?;
        queue::start_ready(app, &mut tx, ctx, &run.workspace_id).await?;
        tx.commit().await?;
        app.signals.dispatch.wake();
    }
    Ok(run)
}

/// Starts a waiting run before those in front of it: the run that holds the workspace unconfirmed is
/// discarded.
///
/// # Errors
/// The refusal, or [`RunError::Illegal`] when it doesn't wait.
pub async fn force_execute(app: &App, ctx: &Context, id: &RunId) -> Result<Run> {
    let (run, proof) = load(app, ctx, id, Permission::RunsApply).await?;
    if run.status() != RunStatus::Pending {
        return Err(super::machine::Illegal {
            status: run.status(),
            event: "force-execute",
        }
        .into());
    }
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    workspaces::lock_and_find(&mut tx, &tenant, &run.workspace_id).await?;
    let comment = format!("run {} was started before it", run.id);
    for mut ahead in store::unfinished(&mut tx, &tenant, &run.workspace_id).await? {
        let in_front = ahead.number < run.number && !ahead.state.plan_only;
        if in_front && super::machine::step(&ahead.state, &Event::Discard, ctx.now()).is_ok() {
            super::transition(
                app,
                &mut tx,
                ctx,
                &mut ahead,
                &Event::Discard,
                Some(&comment),
            )
            .await?;
        }
    }
    queue::start_ready(app, &mut tx, ctx, &run.workspace_id).await?;
    audit::record(&mut tx, ctx, &proof, "run.force-execute", json!({})).await?;
    let run = store::find(&mut tx, &tenant, &run.id)
        .await?
        .ok_or(RunError::NotFound)?;
    tx.commit().await?;
    wake_after(app, &run);
    Ok(run)
}
