//! A job's way from the queue to a runner and back: enqueue, offer, lease, renew, expire.

use chrono::TimeDelta;
use domain::ids::{JobId, RunId, RunnerId, RunnerPoolId};
use domain::job::{JobKind, JobStatus};

pub use super::store::Job;
use super::{store, turns};
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::{Actor, Context, Tenant};
use crate::runs::error::RunError;
use crate::runs::machine::Event;
use crate::runs::model::Run;
use crate::runs::transition::{advance, transition, wake_after};
use crate::workspaces::{self, Workspace};

type Result<T> = std::result::Result<T, RunError>;

/// How often a plan is tried: a second time when its runner is lost.
const PLAN_ATTEMPTS: i64 = 2;

/// How often another replica may be quicker before an offer is left to the next pass.
const OFFER_ATTEMPTS: usize = 8;

/// What the control plane wants of a running job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    Continue,
    Cancel,
    ForceCancel,
}

impl Directive {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Cancel => "cancel",
            Self::ForceCancel => "force-cancel",
        }
    }

    pub fn read(text: &str) -> Self {
        match text {
            "cancel" => Self::Cancel,
            "force-cancel" => Self::ForceCancel,
            _ => Self::Continue,
        }
    }
}

/// Lower comes first: apply, then plan, then dry run.
fn priority(kind: JobKind, plan_only: bool) -> i64 {
    match (kind, plan_only) {
        (JobKind::Apply, _) => 0,
        (JobKind::Plan | JobKind::Fetch, false) => 1,
        (JobKind::Plan | JobKind::Fetch, true) => 2,
    }
}

/// Puts a job of `run` into the queue of its workspace's pool.
///
/// # Errors
/// [`RunError::Invalid`] when the account has no pool.
pub async fn enqueue(
    tx: &mut db::Tx,
    ctx: &Context,
    run: &Run,
    workspace: &Workspace,
    kind: JobKind,
    attempt: i64,
) -> Result<Job> {
    let tenant = ctx.tenant();
    let pool = match &workspace.pool_id {
        Some(pool) => pool.clone(),
        None => store::default_pool(tx, &tenant).await?.ok_or_else(|| {
            RunError::invalid_relationship(
                "workspace",
                "the account has no runner pool; create one and join a runner to it",
            )
        })?,
    };
    let job = Job {
        id: JobId::random(),
        account_id: run.account_id.clone(),
        environment_id: run.environment_id.clone(),
        workspace_id: run.workspace_id.clone(),
        run_id: run.id.clone(),
        kind,
        pool_id: pool,
        status: JobStatus::Queued,
        priority: priority(kind, run.state.plan_only),
        attempt,
        epoch: 0,
        runner_id: None,
        directive: Directive::Continue.as_str().to_owned(),
        stage: None,
        executor: None,
        leased_at: None,
        lease_expires_at: None,
        silent_since: None,
        created_at: ctx.now(),
        recovery_until: None,
    };
    store::insert(tx, &tenant, &job).await?;
    Ok(job)
}

/// Offers the queued job of a pool whose turn it is to a runner; `None` if none may start.
///
/// # Errors
/// The database's own.
pub async fn offer_next(app: &App, pool: &RunnerPoolId, runner: &RunnerId) -> Result<Option<Job>> {
    let limit = app.installation.limits.jobs_per_account();
    let mut tx = app.db.begin().await?;
    let now = tx.database_now().await?;
    let until = now + TimeDelta::seconds(app.installation.timing.offer.into());
    let mut counted = None;
    for _ in 0..OFFER_ATTEMPTS {
        let Some(next) = turns::next(&mut tx, pool, limit).await? else {
            return Ok(None);
        };
        let limited = next.limited || limit < i64::MAX;
        if limited && counted.as_ref() != Some(&next.job.account_id) {
            // Counted again, now that nobody else can take the last place.
            turns::serialise(&mut tx, &next.job.account_id).await?;
            counted = Some(next.job.account_id);
            continue;
        }
        if let Some(offered) = store::offer(&mut tx, &next.job.id, runner, now, until).await? {
            tx.commit().await?;
            return Ok(Some(offered));
        }
    }
    Ok(None)
}

/// Takes back an offer that could not be delivered.
///
/// # Errors
/// The database's own.
pub async fn withdraw(app: &App, job: &JobId, epoch: i64) -> Result<()> {
    let mut tx = app.db.begin().await?;
    store::withdraw(&mut tx, job, epoch).await?;
    tx.commit().await?;
    Ok(())
}

/// The context of a runner at work for its account.
fn runner_context(app: &App, tenant: &Tenant, runner: &RunnerId) -> Context {
    let mut actor = Actor::system(tenant.account(), runner.as_str());
    actor.kind = domain::access::ActorKind::Runner;
    actor.id = runner.to_string();
    Context::new(actor, app.clock.clone())
}

/// A lease as it was taken: what the runner's job is built from.
pub struct Taken {
    pub job: Job,
    pub run: Run,
    pub workspace: Workspace,
}

/// The runner takes an offered job: from here on it holds the lease, and the run's phase has
/// started.
///
/// # Errors
/// [`RunError::StaleEpoch`] when the offer is no longer the runner's.
pub async fn acknowledge(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    runner: &RunnerId,
    job: &JobId,
    epoch: i64,
) -> Result<Taken> {
    let ctx = runner_context(app, tenant, runner);
    let job = store::find(tx, tenant, job)
        .await?
        .ok_or(RunError::StaleEpoch)?;
    let workspace = workspaces::lock_and_find(tx, tenant, &job.workspace_id)
        .await?
        .ok_or(RunError::StaleEpoch)?;
    let now = tx.database_now().await?;
    let until = now + TimeDelta::seconds(app.installation.timing.lease.into());
    if !store::lease(tx, tenant, &job.id, runner, epoch, now, until).await? {
        return Err(RunError::StaleEpoch);
    }
    let mut run = crate::runs::store::find(tx, tenant, &job.run_id)
        .await?
        .ok_or(RunError::StaleEpoch)?;
    let event = match job.kind {
        JobKind::Fetch => None,
        JobKind::Plan => Some(Event::PlanStarted),
        JobKind::Apply => Some(Event::ApplyStarted),
    };
    if let Some(event) = event {
        transition(app, tx, &ctx, &mut run, &event, None).await?;
    }
    let job = store::find(tx, tenant, &job.id)
        .await?
        .ok_or(RunError::StaleEpoch)?;
    Ok(Taken {
        job,
        run,
        workspace,
    })
}

/// What becomes of a job that a runner says it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its lease is renewed, with what is wanted of it.
    Held(Directive),
    /// Ended and reported: the runner may forget it.
    Over,
    /// No longer the runner's; it may still deliver states for recovery.
    Lost,
}

/// Renews the leases of the jobs a runner says it holds.
///
/// # Errors
/// The database's own.
pub async fn renew(
    app: &App,
    tenant: &Tenant,
    runner: &RunnerId,
    jobs: &[(JobId, i64)],
) -> Result<Vec<Standing>> {
    let mut standings = Vec::with_capacity(jobs.len());
    if jobs.is_empty() {
        return Ok(standings);
    }
    let mut tx = app.db.begin().await?;
    let until = tx.database_now().await? + TimeDelta::seconds(app.installation.timing.lease.into());
    for (job, epoch) in jobs {
        let renewed = store::renew(&mut tx, tenant, job, runner, *epoch, until).await?;
        standings.push(match renewed {
            Some(directive) => Standing::Held(Directive::read(&directive)),
            None => match store::find(&mut tx, tenant, job).await? {
                None => Standing::Over,
                Some(found) if found.status == JobStatus::Finished => Standing::Over,
                Some(found) if found.epoch == *epoch && found.recovery_until.is_none() => {
                    Standing::Over.or_lost(found.kind)
                }
                Some(_) => Standing::Lost,
            },
        });
    }
    tx.commit().await?;
    Ok(standings)
}

impl Standing {
    /// An abandoned apply always has something to deliver; an abandoned plan never.
    fn or_lost(self, kind: JobKind) -> Self {
        if kind == JobKind::Apply {
            Self::Lost
        } else {
            self
        }
    }
}

/// Every running lease gets one fresh period: at the start of the control plane.
///
/// # Errors
/// The database's own.
pub async fn fresh_period(app: &App) -> Result<u64> {
    let mut tx = app.db.begin().await?;
    let until = tx.database_now().await? + TimeDelta::seconds(app.installation.timing.lease.into());
    let renewed = store::renew_all(&mut tx, until).await?;
    tx.commit().await?;
    Ok(renewed)
}

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
            _ => give_up(app, &job).await?,
        }
    }
    app.signals.dispatch.wake();
    Ok(())
}

/// Takes a job away from its runner for good.
pub(super) async fn give_up(app: &App, job: &Job) -> Result<()> {
    match (job.status, job.kind) {
        (JobStatus::Offered, _) => withdraw(app, &job.id, job.epoch).await,
        (_, JobKind::Apply) => give_up_apply(app, job).await,
        (_, JobKind::Plan | JobKind::Fetch) => give_up_plan(app, job).await,
    }
}

async fn lose_contact(app: &App, job: &Job, now: Timestamp) -> Result<()> {
    let until = now + TimeDelta::seconds(app.installation.timing.out_of_contact.into());
    let mut tx = app.db.begin().await?;
    if store::lose_contact(&mut tx, job, now, until).await? {
        tracing::warn!(job = %job.id, run = %job.run_id, runner = ?job.runner_id,
            "an apply's runner is silent; the apply goes on there, its workspace stays locked");
    }
    tx.commit().await?;
    Ok(())
}

async fn give_up_apply(app: &App, job: &Job) -> Result<()> {
    let error = "its runner did not come back; what it did last is not known. The workspace stays \
        locked until the runner delivers its journal or a person resolves the run"
        .to_owned();
    step_of(app, job, Event::ApplyUncertain { error }).await
}

/// A plan or fetch whose runner is gone: once more, then it is an error.
async fn give_up_plan(app: &App, job: &Job) -> Result<()> {
    let tenant = Tenant::of_row(&job.account_id);
    let ctx = Context::new(Actor::system(&job.account_id, "lease"), app.clock.clone());
    let mut tx = app.db.begin().await?;
    let Some(workspace) = workspaces::lock_and_find(&mut tx, &tenant, &job.workspace_id).await?
    else {
        return Ok(());
    };
    let still = store::find(&mut tx, &tenant, &job.id)
        .await?
        .is_some_and(|it| it.epoch == job.epoch && it.status == JobStatus::Leased);
    let Some(mut run) = crate::runs::store::find(&mut tx, &tenant, &job.run_id).await? else {
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

async fn step_of(app: &App, job: &Job, event: Event) -> Result<()> {
    let tenant = Tenant::of_row(&job.account_id);
    let ctx = Context::new(Actor::system(&job.account_id, "lease"), app.clock.clone());
    let mut conn = app.db.acquire().await?;
    let run = crate::runs::store::find(&mut conn, &tenant, &job.run_id).await?;
    drop(conn);
    if let Some(run) = run {
        advance(app, &ctx, &run, &event, None).await?;
    }
    Ok(())
}

/// Asks the runner of a run's job for something, now if it is connected here.
///
/// # Errors
/// The database's own.
pub async fn direct(
    tx: &mut db::Tx,
    tenant: &Tenant,
    run: &RunId,
    directive: Directive,
) -> Result<()> {
    store::set_directive(tx, tenant, run, directive).await?;
    tx.notify(DIRECTIVES);
    Ok(())
}

/// The channel on which replicas hear that a directive waits to be delivered.
pub const DIRECTIVES: &str = "directives";

/// Ends a run's unfinished jobs without a result.
///
/// # Errors
/// The database's own.
pub async fn abandon(
    tx: &mut db::Tx,
    ctx: &Context,
    run: &RunId,
    recovery_until: Option<Timestamp>,
) -> Result<()> {
    store::abandon(tx, &ctx.tenant(), run, recovery_until, ctx.now()).await?;
    tx.notify(DIRECTIVES);
    Ok(())
}

/// Notes how far a job has come.
///
/// # Errors
/// [`RunError::StaleEpoch`].
pub async fn progress(
    app: &App,
    tenant: &Tenant,
    job: &JobId,
    epoch: i64,
    stage: &str,
    executor: Option<&str>,
) -> Result<()> {
    let mut tx = app.db.begin().await?;
    if !store::set_stage(&mut tx, tenant, job, epoch, stage, executor).await? {
        return Err(RunError::StaleEpoch);
    }
    tx.commit().await?;
    Ok(())
}

/// Jobs of which something else is wanted than to go on: held ones with a directive, and lately
/// abandoned ones whose runner may not know yet.
///
/// # Errors
/// The database's own.
pub async fn wanted(app: &App) -> Result<Vec<Job>> {
    let mut conn = app.db.acquire().await?;
    let since = app.clock.now() - TimeDelta::minutes(1);
    Ok(store::wanted(&mut conn, since).await?)
}

/// A job of the tenant, whatever its state.
///
/// # Errors
/// The database's own.
pub async fn find(conn: &mut db::Conn, tenant: &Tenant, id: &JobId) -> Result<Option<Job>> {
    Ok(store::find(conn, tenant, id).await?)
}

/// Loads a job that this runner holds, inside the transaction of a write under its lease.
///
/// # Errors
/// [`RunError::StaleEpoch`] unless job, runner and epoch match and the lease is held.
pub async fn check_lease(
    tx: &mut db::Tx,
    tenant: &Tenant,
    runner: &RunnerId,
    job: &JobId,
    epoch: i64,
) -> Result<Job> {
    let found = store::find(tx, tenant, job)
        .await?
        .ok_or(RunError::StaleEpoch)?;
    let held = matches!(found.status, JobStatus::Leased | JobStatus::OutOfContact)
        && found.epoch == epoch
        && found.runner_id.as_ref() == Some(runner);
    if held {
        Ok(found)
    } else {
        Err(RunError::StaleEpoch)
    }
}
