//! What one run's gate takes: gather, ask, and write the answer with what it means for the run, in
//! one transaction. Everything before that transaction can be repeated, so a process may die anywhere.

use std::time::Instant;

use domain::cost::LimitAction;
use domain::ids::RunId;
use domain::policy::{PolicyCheckStatus, PolicyStage};
use domain::run::RunStatus;
use policy::input::CostEstimate;

use super::judge::judge;
use super::model::PolicyResult;
use super::{evaluate, input, store};
use crate::app::App;
use crate::clock::Clock;
use crate::context::{Actor, Context, Tenant};
use crate::costs::{self, BrokenLimit, Estimated};
use crate::policies;
use crate::problem::{Kind, Problem};
use crate::runs::error::RunError;
use crate::runs::machine::{Event, Judgement};
use crate::runs::model::Run;
use crate::runs::transition::{transition, wake_after};
use crate::runs::{queue, store as run_store};
use crate::workspaces;

/// The name in the history of what gates do.
const ACTOR: &str = "gates";

/// Does what the run waits for, if it still stands at a gate.
///
/// # Errors
/// A fault of the database or the object store; it is tried again later.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "in every other status it stands at no gate"
)]
pub(super) async fn perform(app: &App, tenant: &Tenant, id: &RunId) -> Result<(), RunError> {
    let mut conn = app.db.acquire().await?;
    let Some(run) = run_store::find(&mut conn, tenant, id).await? else {
        return Ok(());
    };
    drop(conn);
    match run.status() {
        RunStatus::PrePlanRunning => check(app, tenant, &run, PolicyStage::PrePlan).await,
        RunStatus::PolicyChecking => check(app, tenant, &run, PolicyStage::PostPlan).await,
        RunStatus::CostEstimating => estimate(app, tenant, &run).await,
        _ => Ok(()),
    }
}

/// Ends the gate of a run for which [`perform`] has failed too often, so that it doesn't wait for
/// good: what can't be judged doesn't pass, what can't be priced has no price.
///
/// # Errors
/// A fault of the database or the object store.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "in every other status it stands at no gate"
)]
pub(super) async fn give_up(
    app: &App,
    tenant: &Tenant,
    id: &RunId,
    reason: &str,
) -> Result<(), RunError> {
    let mut conn = app.db.acquire().await?;
    let Some(run) = run_store::find(&mut conn, tenant, id).await? else {
        return Ok(());
    };
    drop(conn);
    let stage = match run.status() {
        RunStatus::PrePlanRunning => PolicyStage::PrePlan,
        RunStatus::PolicyChecking => PolicyStage::PostPlan,
        RunStatus::CostEstimating => {
            let ctx = context(app, tenant);
            let estimated = costs::give_up(app, &ctx, &run, reason).await?;
            return conclude_estimate(app, &ctx, &run, estimated).await;
        }
        _ => return Ok(()),
    };
    let checked = broken(format!("the policies could not be asked: {reason}"));
    conclude_check(app, tenant, &run, stage, checked, 0).await
}

fn context(app: &App, tenant: &Tenant) -> Context {
    Context::new(
        Actor::system(tenant.account(), ACTOR),
        Clock::clone(&app.clock),
    )
}

/// What a check found, before it is written.
struct Checked {
    status: PolicyCheckStatus,
    judgement: Judgement,
    results: Vec<PolicyResult>,
    error: Option<String>,
}

async fn check(app: &App, tenant: &Tenant, run: &Run, stage: PolicyStage) -> Result<(), RunError> {
    let began = Instant::now();
    let checked = match judged(app, tenant, run, stage).await {
        Ok(results) => {
            let (status, judgement) = judge(&results);
            Checked {
                status,
                judgement,
                results,
                error: None,
            }
        }
        Err(error) if error.kind() == Kind::Internal || error.kind() == Kind::Unavailable => {
            return Err(error);
        }
        // What can't be judged doesn't pass.
        Err(error) => broken(format!("the policies could not be asked: {error}")),
    };
    let duration = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    conclude_check(app, tenant, run, stage, checked, duration).await
}

fn broken(error: String) -> Checked {
    Checked {
        status: PolicyCheckStatus::Errored,
        judgement: Judgement::HardFailed {
            error: error.clone(),
        },
        results: Vec::new(),
        error: Some(error),
    }
}

async fn judged(
    app: &App,
    tenant: &Tenant,
    run: &Run,
    stage: PolicyStage,
) -> Result<Vec<PolicyResult>, RunError> {
    let mut conn = app.db.acquire().await?;
    let workspace = workspaces::find(&mut conn, tenant, &run.workspace_id)
        .await?
        .ok_or(RunError::NotFound)?;
    let groups = policies::in_force(&mut conn, tenant, &workspace, stage).await?;
    drop(conn);
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let cost = known_cost(app, tenant, run).await?;
    let input = input::of_run(app, tenant, run, stage, cost).await?;
    Ok(evaluate::ask(app, tenant, &groups, &input, app.clock.now()).await)
}

pub(super) async fn known_cost(
    app: &App,
    tenant: &Tenant,
    run: &Run,
) -> Result<Option<CostEstimate>, RunError> {
    let mut conn = app.db.acquire().await?;
    let estimate = costs::of_run(&mut conn, tenant, &run.id).await?;
    drop(conn);
    Ok(match estimate {
        Some(estimate) => costs::for_policies(app, tenant, &estimate).await?,
        None => None,
    })
}

async fn conclude_check(
    app: &App,
    tenant: &Tenant,
    run: &Run,
    stage: PolicyStage,
    checked: Checked,
    duration: i64,
) -> Result<(), RunError> {
    let ctx = context(app, tenant);
    let mut tx = app.db.begin().await?;
    let Some(mut run) = still_at_gate(&mut tx, tenant, run).await? else {
        return Ok(());
    };
    let mut check = store::find(&mut tx, tenant, &run.id, stage)
        .await?
        .ok_or(RunError::NotFound)?;
    check.reach(checked.status, ctx.now());
    check.error = checked.error;
    check.duration_ms = Some(duration);
    store::save(&mut tx, tenant, &check).await?;
    store::replace_results(&mut tx, tenant, &check, &checked.results).await?;
    let event = match stage {
        PolicyStage::PrePlan => Event::PrePlanJudged(checked.judgement),
        PolicyStage::PostPlan => Event::PlanJudged(checked.judgement),
    };
    conclude(app, tx, &ctx, &mut run, &event).await
}

/// The run, under its workspace's lock, unless it was canceled meanwhile.
async fn still_at_gate(
    tx: &mut db::Tx,
    tenant: &Tenant,
    seen: &Run,
) -> Result<Option<Run>, RunError> {
    workspaces::lock_and_find(tx, tenant, &seen.workspace_id).await?;
    let found = run_store::find(tx, tenant, &seen.id).await?;
    Ok(found.filter(|run| run.status() == seen.status()))
}

async fn conclude(
    app: &App,
    mut tx: db::Tx,
    ctx: &Context,
    run: &mut Run,
    event: &Event,
) -> Result<(), RunError> {
    transition(app, &mut tx, ctx, run, event, None).await?;
    if run.status().is_final() {
        queue::start_ready(app, &mut tx, ctx, &run.workspace_id).await?;
    }
    tx.commit().await?;
    wake_after(app, run);
    Ok(())
}

async fn estimate(app: &App, tenant: &Tenant, run: &Run) -> Result<(), RunError> {
    let ctx = context(app, tenant);
    let estimated = costs::perform(app, &ctx, run).await?;
    conclude_estimate(app, &ctx, run, estimated).await
}

async fn conclude_estimate(
    app: &App,
    ctx: &Context,
    run: &Run,
    estimated: Estimated,
) -> Result<(), RunError> {
    let tenant = &ctx.tenant();
    let mut tx = app.db.begin().await?;
    let Some(mut run) = still_at_gate(&mut tx, tenant, run).await? else {
        return Ok(());
    };
    let event = cost_event(&estimated.broken);
    conclude(app, tx, ctx, &mut run, &event).await
}

/// What the limits that a plan breaks mean for its run. A limit that only warns is shown with the
/// estimate.
fn cost_event(broken: &[BrokenLimit]) -> Event {
    let said: Vec<String> = broken
        .iter()
        .filter(|limit| limit.action == LimitAction::Block)
        .map(|limit| match limit.message.as_str() {
            "" => limit.text.clone(),
            message => format!("{} ({message})", limit.text),
        })
        .collect();
    Event::CostEstimated {
        needs_approval: broken
            .iter()
            .any(|limit| limit.action == LimitAction::RequireApproval),
        blocked: (!said.is_empty())
            .then(|| format!("stopped by a cost limit: {}", said.join("; "))),
    }
}
