//! The I/O shell of the run machine: one event, one transaction.

use chrono::TimeDelta;
use domain::job::JobKind;
use domain::policy::PolicyStage;
use domain::run::{Phase, RunStatus};
use domain::workspace::LockKind;

use super::actor::ActorStamp;
use super::approval_service;
use super::error::RunError;
use super::gates;
use super::jobs;
use super::logs;
use super::machine::{Effect, Event, Transition, step};
use super::model::Run;
use super::{queue, store};
use crate::app::App;
use crate::context::{Context, Tenant};
use crate::costs;
use crate::workspaces::{self, Lock, Workspace};

/// Applies `event` to `run` inside `tx`, which must hold the workspace's row: state, history and
/// effects change together or not at all. Afterwards `run` is what is stored.
///
/// # Errors
/// [`RunError::Illegal`] when the machine has no such step, [`RunError::Changed`] when somebody was
/// quicker.
pub async fn transition(
    app: &App,
    tx: &mut db::Tx,
    ctx: &Context,
    run: &mut Run,
    event: &Event,
    comment: Option<&str>,
) -> Result<(), RunError> {
    let tenant = ctx.tenant();
    let now = ctx.now();
    let Transition {
        next,
        effects,
        error,
    } = step(&run.state, event, now)?;
    let before = run.status();
    let after = next.status;
    run.state = next;
    if error.is_some() {
        run.error = error;
    }
    if before != after {
        run.timestamps.entry(timestamp_key(after)).or_insert(now);
    }
    if !store::save(tx, &tenant, run, now).await? {
        return Err(RunError::Changed);
    }
    run.version += 1;
    let stamp = ActorStamp::of(ctx);
    store::insert_event(
        tx,
        &tenant,
        &run.id,
        event.name(),
        Some(before),
        after,
        &stamp,
        comment,
        now,
    )
    .await?;
    for effect in effects {
        perform(app, tx, ctx, run, effect).await?;
    }
    if after.is_final() && before != after {
        gates::end(tx, &tenant, &run.id, after).await?;
        costs::cancel(tx, ctx, &run.id).await?;
    }
    end_logs(tx, &tenant, run).await?;
    tx.notify(CHANGED);
    Ok(())
}

/// The channel on which replicas tell each other that a run has changed.
pub const CHANGED: &str = "runs";

/// Statuses as clients name their times: `plan-queued-at`.
fn timestamp_key(status: RunStatus) -> String {
    format!("{}-at", status.as_str().replace('_', "-"))
}

async fn perform(
    app: &App,
    tx: &mut db::Tx,
    ctx: &Context,
    run: &Run,
    effect: Effect,
) -> Result<(), RunError> {
    let tenant = ctx.tenant();
    match effect {
        Effect::TakeWorkspace => {
            let mut workspace = workspace_of(tx, &tenant, run).await?;
            let lock = Lock {
                kind: LockKind::Run,
                holder_id: run.id.to_string(),
                holder_name: format!("run #{}", run.number),
                reason: format!("Locked by run {}", run.id),
                since: ctx.now(),
            };
            workspaces::hold_for_run(tx, &tenant, &mut workspace, Some(lock)).await?;
            workspaces::set_current_run(tx, &tenant, &run.workspace_id, Some(&run.id)).await?;
        }
        Effect::ReleaseWorkspace => {
            let mut workspace = workspace_of(tx, &tenant, run).await?;
            let ours = workspace
                .lock
                .as_ref()
                .is_some_and(|lock| lock.holder_id == run.id.as_str());
            if ours {
                workspaces::hold_for_run(tx, &tenant, &mut workspace, None).await?;
            }
            app.signals.queue.wake();
        }
        Effect::Enqueue(kind) => {
            let workspace = workspace_of(tx, &tenant, run).await?;
            jobs::enqueue(tx, ctx, run, &workspace, kind, 1).await?;
            app.signals.dispatch.wake();
        }
        Effect::AnnouncePlanCheck => {
            let stage = PolicyStage::PostPlan;
            gates::announce(tx, &tenant, &run.id, stage, ctx.now()).await?;
        }
        Effect::EstimateCost => {
            costs::announce(tx, ctx, run).await?;
            app.signals.gates.wake();
        }
        Effect::CheckBeforePlan | Effect::CheckPlan => app.signals.gates.wake(),
        Effect::CancelJob => jobs::direct(tx, &tenant, &run.id, jobs::Directive::Cancel).await?,
        Effect::ForceCancelJob => {
            jobs::direct(tx, &tenant, &run.id, jobs::Directive::ForceCancel).await?;
        }
        Effect::AbandonJobs => jobs::abandon(tx, ctx, &run.id, None).await?,
        Effect::AbandonJobsForRecovery => {
            let grant = TimeDelta::seconds(app.installation.timing.recovery_grant.into());
            jobs::abandon(tx, ctx, &run.id, Some(ctx.now() + grant)).await?;
        }
    }
    Ok(())
}

async fn workspace_of(tx: &mut db::Tx, tenant: &Tenant, run: &Run) -> Result<Workspace, RunError> {
    workspaces::find(tx, tenant, &run.workspace_id)
        .await?
        .ok_or(RunError::NotFound)
}

/// A phase that has ended ends its logs in the same transaction, so that a reader who sees the end
/// mark finds the final status.
async fn end_logs(tx: &mut db::Tx, tenant: &Tenant, run: &Run) -> Result<(), RunError> {
    if run.state.plan.is_final() {
        logs::end(tx, tenant, &run.id, Phase::Plan).await?;
    }
    if run.state.apply.is_final() {
        logs::end(tx, tenant, &run.id, Phase::Apply).await?;
    }
    Ok(())
}

/// Locks a run's workspace, loads the run anew and applies `event`; then lets the next run of the
/// workspace start. The whole is one transaction.
///
/// # Errors
/// As [`transition`].
pub async fn advance(
    app: &App,
    ctx: &Context,
    run: &Run,
    event: &Event,
    comment: Option<&str>,
) -> Result<Run, RunError> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    workspaces::lock_and_find(&mut tx, &tenant, &run.workspace_id).await?;
    let mut run = store::find(&mut tx, &tenant, &run.id)
        .await?
        .ok_or(RunError::NotFound)?;
    if *event == Event::Confirm {
        approval_service::settle(app, &mut tx, ctx, &mut run, Some(ctx)).await?;
    }
    transition(app, &mut tx, ctx, &mut run, event, comment).await?;
    if run.status().is_final() {
        queue::start_ready(app, &mut tx, ctx, &run.workspace_id).await?;
    }
    tx.commit().await?;
    wake_after(app, &run);
    Ok(run)
}

/// Wakes whoever has work after a run has changed.
pub(super) fn wake_after(app: &App, run: &Run) {
    app.signals.dispatch.wake();
    if run.status().is_final() {
        app.signals.logs.wake();
    }
}

/// Whether a job of this kind belongs to the apply.
pub(super) fn phase_of(kind: JobKind) -> Phase {
    match kind {
        JobKind::Fetch | JobKind::Plan => Phase::Plan,
        JobKind::Apply => Phase::Apply,
    }
}
