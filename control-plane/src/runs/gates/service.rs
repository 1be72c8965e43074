//! Use cases of checks: reading them, overriding a soft failure, the input for writing tests.

use domain::ids::RunId;
use domain::permission::Permission;
use domain::policy::{PolicyCheckStatus, PolicyStage};
use domain::run::{PhaseStatus, RunStatus};
use serde_json::json;

use super::input::{self, PolicyInput};
use super::model::{PolicyCheck, PolicyResult};
use super::perform::known_cost;
use super::store;
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::runs::error::RunError;
use crate::runs::machine::{Event, Illegal};
use crate::runs::model::Run;
use crate::runs::service::{authorize_run, load};
use crate::runs::store as run_store;
use crate::runs::transition::{transition, wake_after};
use crate::workspaces;

type Result<T> = std::result::Result<T, RunError>;

/// A check with its run and what its policies said.
pub(super) struct Read {
    pub run: Run,
    pub check: PolicyCheck,
    pub results: Vec<PolicyResult>,
}

/// Reads a run's check of a stage.
///
/// # Errors
/// [`RunError::NotFound`], also when the run has no such check, or the refusal.
pub(super) async fn read(
    app: &App,
    ctx: &Context,
    run: &RunId,
    stage: PolicyStage,
) -> Result<Read> {
    find(app, ctx, run, stage).await?.ok_or(RunError::NotFound)
}

/// The same for a run that may have none.
pub(super) async fn find(
    app: &App,
    ctx: &Context,
    run: &RunId,
    stage: PolicyStage,
) -> Result<Option<Read>> {
    let (run, _) = load(app, ctx, run, Permission::RunsRead).await?;
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let Some(check) = store::find(&mut conn, &tenant, &run.id, stage).await? else {
        return Ok(None);
    };
    let results = store::results(&mut conn, &tenant, &run.id, stage).await?;
    Ok(Some(Read {
        run,
        check,
        results,
    }))
}

/// Lets a run pass in spite of its soft failures: check, run and audit in one transaction.
///
/// # Errors
/// The refusal, or [`RunError::Illegal`] when the run doesn't wait for it.
pub(super) async fn override_check(
    app: &App,
    ctx: &Context,
    id: &RunId,
    stage: PolicyStage,
    comment: Option<&str>,
) -> Result<()> {
    let tenant = ctx.tenant();
    let (seen, _) = load(app, ctx, id, Permission::RunsRead).await?;
    let proof = authorize_run(ctx, Permission::PolicyChecksOverride, &seen)?;
    let mut tx = app.db.begin().await?;
    workspaces::lock_and_find(&mut tx, &tenant, &seen.workspace_id).await?;
    let mut run = run_store::find(&mut tx, &tenant, id)
        .await?
        .ok_or(RunError::NotFound)?;
    let mut check = store::find(&mut tx, &tenant, id, stage)
        .await?
        .ok_or(RunError::NotFound)?;
    if check.status != PolicyCheckStatus::SoftFailed {
        return Err(Illegal {
            status: run.status(),
            event: "override",
        }
        .into());
    }
    check.reach(PolicyCheckStatus::Overridden, ctx.now());
    check.overridden_by_id = Some(ctx.actor.id.clone());
    check.overridden_by_name = Some(ctx.actor.name.clone());
    check.override_comment = comment.map(str::to_owned);
    store::save(&mut tx, &tenant, &check).await?;
    transition(app, &mut tx, ctx, &mut run, &Event::Overridden, comment).await?;
    let overridden: Vec<String> = failing(&store::results(&mut tx, &tenant, id, stage).await?);
    let detail = json!({ "stage": stage, "policies": overridden, "comment": comment });
    audit::record(&mut tx, ctx, &proof, "policy-check.override", detail).await?;
    tx.commit().await?;
    wake_after(app, &run);
    Ok(())
}

fn failing(results: &[PolicyResult]) -> Vec<String> {
    results
        .iter()
        .filter(|it| it.verdict.effect(it.overridable) >= policy::Effect::AwaitOverride)
        .map(|it| format!("{}/{}", it.group_name, it.verdict.policy))
        .collect()
}

/// What the policies of a stage see of a run. A run that was never judged gets its input made now.
///
/// # Errors
/// The refusal; [`RunError::NotFound`] as long as there is no plan to show.
pub(super) async fn policy_input(
    app: &App,
    ctx: &Context,
    id: &RunId,
    stage: PolicyStage,
) -> Result<PolicyInput> {
    let (run, _) = load(app, ctx, id, Permission::RunsRead).await?;
    authorize_run(ctx, Permission::PolicyChecksReadInput, &run)?;
    if !is_settled(&run, stage) {
        return Err(RunError::NotFound);
    }
    let tenant = ctx.tenant();
    let cost = match stage {
        PolicyStage::PrePlan => None,
        PolicyStage::PostPlan => known_cost(app, &tenant, &run).await?,
    };
    input::of_run(app, &tenant, &run, stage, cost).await
}

/// Whether a gate would be shown nothing else any more. An input is kept once it is made, and the
/// gate judges by it: one that was read too early, before the cost is known, would go around it.
fn is_settled(run: &Run, stage: PolicyStage) -> bool {
    let status = run.status();
    match stage {
        PolicyStage::PrePlan => !matches!(status, RunStatus::Pending | RunStatus::Fetching),
        PolicyStage::PostPlan => {
            run.state.plan == PhaseStatus::Finished && status != RunStatus::CostEstimating
        }
    }
}
