//! Leases and offers that have run out: what becomes of a job whose runner is silent.

use chrono::TimeDelta;
use domain::job::{JobKind, JobStatus};

use super::fetches;
use super::owner::{OfRun, Owner};
use super::service::{enqueue, withdraw};
use super::store::{self, Job};
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::{Actor, Context, Tenant};
use crate::runs::error::RunError;
use crate::runs::machine::Event;
use crate::runs::transition::{advance, transition, wake_after};
use crate::workspaces;

type Result<T> = std::result::Result<T, RunError>;

/// How often a plan is tried: a second time when its runner is lost.
const PLAN_ATTEMPTS: i64 = 2;

/// Deals with leases and offers that have run out.
///
/// # Errors
/// The database's own; the rest is done at the next pass.
pub async fn expire(app: &App) -> Result<()> {
    let mut conn = app.db.acquire().await?;
    let now = conn.database_now().await?;
    let overdue = store::overdue(&mut conn, now).await?;
    drop(conn);
    for job in overdue {
        match (job.status, job.kind) {
            (JobStatus::Leased, JobKind::Apply) => lose_contact(app, &job, now).await?,
            _ => give_up(app, &job, Gone::Silent).await?,
        }
    }
    app.signals.dispatch.wake();
    Ok(())
}

/// Why a runner's jobs are taken away from it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Gone {
    Silent,
    Revoked,
}

/// Takes a job away from its runner for good.
pub(super) async fn give_up(app: &App, job: &Job, why: Gone) -> Result<()> {
    match (job.status, job.kind, &job.owner) {
        (JobStatus::Offered, _, _) => withdraw(app, &job.id, job.epoch).await,
        (_, _, Owner::Fetch(fetch)) => fetches::give_up(app, job, fetch).await,
        (_, JobKind::Apply, Owner::Run(of)) => give_up_apply(app, job, of, why).await,
        (_, _, Owner::Run(of)) => give_up_plan(app, job, of).await,
    }
}

async fn lose_contact(app: &App, job: &Job, now: Timestamp) -> Result<()> {
    let until = now + TimeDelta::seconds(app.installation.timing.out_of_contact.into());
    let mut tx = app.db.begin().await?;
    if store::lose_contact(&mut tx, job, now, until).await? {
        tracing::warn!(job = %job.id, owner = ?job.owner, runner = ?job.runner_id,
            "an apply's runner is silent; the apply goes on there, its workspace stays locked");
    }
    tx.commit().await?;
    Ok(())
}

async fn give_up_apply(app: &App, job: &Job, of: &OfRun, why: Gone) -> Result<()> {
    let error = match why {
        Gone::Silent => {
            "its runner did not come back; what it did last is not known. The workspace stays \
             locked until the runner delivers its journal or a person resolves the run"
        }
        Gone::Revoked => {
            "its runner was revoked; what it did last is not known. What it still delivers is kept \
             in quarantine, and the workspace stays locked until a person resolves the run"
        }
    };
    let error = error.to_owned();
    step_of(app, job, of, Event::ApplyUncertain { error }).await
}

/// A run's plan or fetch whose runner is gone: once more, then it is an error.
async fn give_up_plan(app: &App, job: &Job, of: &OfRun) -> Result<()> {
    let tenant = Tenant::of_row(&job.account_id);
    let ctx = Context::new(Actor::system(&job.account_id, "lease"), app.clock.clone());
    let mut tx = app.db.begin().await?;
    let Some(workspace) = workspaces::lock_and_find(&mut tx, &tenant, &of.workspace_id).await?
    else {
        return Ok(());
    };
    let still = store::find(&mut tx, &tenant, &job.id)
        .await?
        .is_some_and(|it| it.epoch == job.epoch && it.status == JobStatus::Leased);
    let Some(mut run) = crate::runs::store::find(&mut tx, &tenant, &of.run_id).await? else {
        return Ok(());
    };
    if !still {
        return Ok(());
    }
    store::abandon(&mut tx, &tenant, &run.id, None, ctx.now()).await?;
    let error = || format!("its runner was lost {PLAN_ATTEMPTS} times");
    match (job.kind, job.attempt < PLAN_ATTEMPTS) {
        (JobKind::Fetch, true) => {
            enqueue(
                &mut tx,
                &ctx,
                &run,
                &workspace,
                JobKind::Fetch,
                job.attempt + 1,
            )
            .await?;
        }
        (JobKind::Fetch, false) => {
            let event = Event::FetchFailed { error: error() };
            transition(app, &mut tx, &ctx, &mut run, &event, None).await?;
        }
        (_, true) if run.state.cancel_requested_at.is_some() => {
            transition(app, &mut tx, &ctx, &mut run, &Event::PlanCanceled, None).await?;
        }
        (_, true) => {
            crate::runs::logs::restart(&mut tx, &tenant, &run.id, domain::run::Phase::Plan).await?;
            transition(app, &mut tx, &ctx, &mut run, &Event::PlanLost, None).await?;
            store::set_attempt(&mut tx, &tenant, &run.id, job.attempt + 1).await?;
        }
        (_, false) => {
            let event = Event::PlanFailed { error: error() };
            transition(app, &mut tx, &ctx, &mut run, &event, None).await?;
        }
    }
    if run.status().is_final() {
        crate::runs::queue::start_ready(app, &mut tx, &ctx, &run.workspace_id).await?;
    }
    tx.commit().await?;
    wake_after(app, &run);
    Ok(())
}

async fn step_of(app: &App, job: &Job, of: &OfRun, event: Event) -> Result<()> {
    let tenant = Tenant::of_row(&job.account_id);
    let ctx = Context::new(Actor::system(&job.account_id, "lease"), app.clock.clone());
    let mut conn = app.db.acquire().await?;
    let run = crate::runs::store::find(&mut conn, &tenant, &of.run_id).await?;
    drop(conn);
    if let Some(run) = run {
        advance(app, &ctx, &run, &event, None).await?;
    }
    Ok(())
}
