//! What a runner reports at the end of a job, and what it means for the run.

use domain::ids::{JobId, RunnerId};
use domain::job::{JobKind, JobStatus};
use serde_json::json;

use super::fetches;
use super::owner::Owner;
use super::service::Lease;
use super::store::{self, Job};
use crate::app::App;
use crate::context::{Actor, Context, Tenant};
use crate::runs::configuration;
use crate::runs::error::RunError;
use crate::runs::gates;
use crate::runs::machine::Event;
use crate::runs::model::{ApplyResult, PlanResult, Run};
use crate::runs::queue;
use crate::runs::transition::{transition, wake_after};
use crate::workspaces;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    /// Terraform or git said no; the state is whole.
    Failed,
    Canceled,
    /// The step died; what was journalled has been delivered.
    StateUncertain,
}

/// A runner's last word on a job.
#[derive(Debug, Clone)]
pub struct Report {
    pub outcome: Outcome,
    pub error: String,
    pub plan: Option<PlanResult>,
    pub apply: Option<ApplyResult>,
    pub fetched: Option<configuration::Fetched>,
}

/// Takes a report. Idempotent: one that was taken before is accepted again; one of a job that was
/// given up ends its recovery.
///
/// # Errors
/// [`RunError::StaleEpoch`] for a job or epoch that never was this runner's.
pub async fn complete(
    app: &App,
    tenant: &Tenant,
    runner: &RunnerId,
    id: &JobId,
    epoch: i64,
    report: Report,
) -> Result<(), RunError> {
    let mut actor = Actor::system(tenant.account(), runner.as_str());
    actor.kind = domain::access::ActorKind::Runner;
    actor.id = runner.to_string();
    let ctx = Context::new(actor, app.clock.clone());
    let mut tx = app.db.begin().await?;
    let job = store::find(&mut tx, tenant, id)
        .await?
        .ok_or(RunError::StaleEpoch)?;
    let of = match &job.owner {
        Owner::Run(of) => of.clone(),
        Owner::Fetch(fetch) => {
            let lease = Lease {
                runner,
                job: id,
                epoch,
            };
            return fetches::complete(app, tx, &ctx, lease, fetch, report).await;
        }
    };
    workspaces::lock_and_find(&mut tx, tenant, &of.workspace_id).await?;
    let job = store::find(&mut tx, tenant, &job.id)
        .await?
        .ok_or(RunError::StaleEpoch)?;
    if job.runner_id.as_ref() != Some(runner) || job.epoch != epoch {
        return Err(RunError::StaleEpoch);
    }
    let mut run = crate::runs::store::find(&mut tx, tenant, &of.run_id)
        .await?
        .ok_or(RunError::StaleEpoch)?;
    match job.status {
        JobStatus::Finished => return Ok(()),
        JobStatus::Abandoned => {
            end_recovery(app, &mut tx, &ctx, &job, &mut run, report).await?;
        }
        JobStatus::Leased | JobStatus::OutOfContact => {
            let outcome =
                json!({ "outcome": format!("{:?}", report.outcome), "error": report.error });
            if !store::finish(&mut tx, tenant, &job.id, epoch, &outcome, ctx.now()).await? {
                return Err(RunError::StaleEpoch);
            }
            take(app, &mut tx, &ctx, &job, &mut run, report).await?;
        }
        JobStatus::Queued | JobStatus::Offered => return Err(RunError::StaleEpoch),
    }
    if run.status().is_final() {
        queue::start_ready(app, &mut tx, &ctx, &run.workspace_id).await?;
    }
    tx.commit().await?;
    wake_after(app, &run);
    Ok(())
}

/// The runner of a job that was given up has delivered what it had: the run's state is known again.
async fn end_recovery(
    app: &App,
    tx: &mut db::Tx,
    ctx: &Context,
    job: &Job,
    run: &mut Run,
    report: Report,
) -> Result<(), RunError> {
    store::end_recovery(tx, &ctx.tenant(), &job.id).await?;
    if job.kind == JobKind::Apply && run.state.state_uncertain {
        run.apply_result = report.apply.or_else(|| run.apply_result.take());
        let comment = "the runner came back and delivered its states";
        transition(app, tx, ctx, run, &Event::Resolve, Some(comment)).await?;
    }
    Ok(())
}

async fn take(
    app: &App,
    tx: &mut db::Tx,
    ctx: &Context,
    job: &Job,
    run: &mut Run,
    report: Report,
) -> Result<(), RunError> {
    let error = report.error.clone();
    if report.plan.is_some() {
        run.plan_result = report.plan;
    }
    if report.apply.is_some() {
        run.apply_result = report.apply;
    }
    let event = match (job.kind, report.outcome) {
        (JobKind::Fetch, Outcome::Succeeded) => {
            configuration::fetched(tx, ctx, run, report.fetched).await?;
            Event::FetchFinished
        }
        (JobKind::Fetch, _) => {
            configuration::fetch_failed(tx, ctx, run, &error).await?;
            Event::FetchFailed { error }
        }
        (JobKind::Plan, Outcome::Succeeded) => {
            let has_changes = run
                .plan_result
                .as_ref()
                .is_some_and(|plan| plan.has_changes);
            Event::PlanFinished {
                has_changes,
                gates: gates::after_plan(tx, &ctx.tenant(), run).await?,
            }
        }
        (JobKind::Plan, Outcome::Canceled) if run.state.cancel_requested_at.is_some() => {
            Event::PlanCanceled
        }
        (JobKind::Plan, _) => Event::PlanFailed { error },
        (JobKind::Apply, Outcome::Succeeded) => Event::ApplyFinished,
        (JobKind::Apply, Outcome::Canceled) if run.state.cancel_requested_at.is_some() => {
            Event::ApplyCanceled
        }
        (JobKind::Apply, Outcome::Failed | Outcome::Canceled) => Event::ApplyFailed { error },
        (JobKind::Apply, Outcome::StateUncertain) => Event::ApplyUncertain { error },
    };
    transition(app, tx, ctx, run, &event, None).await?;
    if job.kind == JobKind::Apply && report.outcome == Outcome::StateUncertain {
        // Its states were delivered before the report: what is known is all there is to know.
        store::end_recovery(tx, &ctx.tenant(), &job.id).await?;
        let comment = "the step died; the runner delivered every state it had journalled";
        transition(app, tx, ctx, run, &Event::Resolve, Some(comment)).await?;
    }
    if job.kind == JobKind::Apply {
        discard_stale_saved_plans(app, tx, ctx, run).await?;
        workspaces::set_current_configuration(
            tx,
            &ctx.tenant(),
            &run.workspace_id,
            &run.configuration_version_id,
        )
        .await?;
    }
    Ok(())
}

/// An apply changed the state that parked plans were made from.
async fn discard_stale_saved_plans(
    app: &App,
    tx: &mut db::Tx,
    ctx: &Context,
    applied: &Run,
) -> Result<(), RunError> {
    let open = crate::runs::store::unfinished(tx, &ctx.tenant(), &applied.workspace_id).await?;
    for mut run in open {
        let parked = run.id != applied.id && run.state.save_plan;
        let comment = format!(
            "run {} changed the state this plan was made from",
            applied.id
        );
        if parked && crate::runs::machine::step(&run.state, &Event::PlanStale, ctx.now()).is_ok() {
            transition(app, tx, ctx, &mut run, &Event::PlanStale, Some(&comment)).await?;
        }
    }
    Ok(())
}
