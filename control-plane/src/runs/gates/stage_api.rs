//! Routes of the policies before a plan, in the form of a task stage.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::{PolicyEvaluationId, PolicySetOutcomeId, RunId, TaskStageId};
use domain::policy::PolicyStage;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::check_api::OverrideInput;
use super::service;
use super::stage_attributes::{
    EvaluationAttributes, OutcomeAttributes, TaskStageAttributes, evaluation, outcomes, task_stage,
};
use crate::app::App;
use crate::context::Context;
use crate::http::body::OptionalBody;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Document, Resource};
use crate::http::query::Query;
use crate::runs::api::run_id;

const STAGE: PolicyStage = PolicyStage::PrePlan;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_of_run))
        .routes(routes!(read))
        .routes(routes!(override_stage))
        .routes(routes!(evaluations))
        .routes(routes!(read_evaluation))
        .routes(routes!(set_outcomes))
        .routes(routes!(read_outcome))
}

fn run_of_stage(text: &str) -> ApiResult<RunId> {
    let id: TaskStageId = text.parse().map_err(|_| ApiError::not_found())?;
    Ok(RunId::beside(id.body()))
}

fn run_of_evaluation(text: &str) -> ApiResult<RunId> {
    let id: PolicyEvaluationId = text.parse().map_err(|_| ApiError::not_found())?;
    Ok(RunId::beside(id.body()))
}

/// The stages of a run as included objects.
///
/// # Errors
/// The refusal.
pub async fn stages_of_run(
    app: &App,
    ctx: &Context,
    run: &RunId,
) -> ApiResult<Vec<serde_json::Value>> {
    let found = service::find(app, ctx, run, STAGE).await?;
    Ok(found
        .iter()
        .map(|read| task_stage(ctx, read).into_value())
        .collect())
}

/// Lists the task stages of a run: one, when policies are asked before its plan.
#[utoipa::path(get, path = "/runs/{run_id}/task-stages", tag = "policy checks",
    params(("run_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<TaskStageAttributes>>>)))]
async fn list_of_run(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Vec<Resource<TaskStageAttributes>>>> {
    let found = service::find(&app, &ctx, &run_id(&id)?, STAGE).await?;
    Ok(Document::of(
        found.iter().map(|read| task_stage(&ctx, read)).collect(),
    ))
}

type One = Document<Resource<TaskStageAttributes>>;

/// Reads a task stage. `include`: `policy_evaluations`.
#[utoipa::path(get, path = "/task-stages/{task_stage_id}", tag = "policy checks",
    params(("task_stage_id" = String, Path)),
    responses((status = 200, body = Document<Resource<TaskStageAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<One> {
    let read = service::read(&app, &ctx, &run_of_stage(&id)?, STAGE).await?;
    let document = Document::of(task_stage(&ctx, &read));
    Ok(if query.includes("policy_evaluations") {
        document.including(vec![evaluation(&read).into_value()])
    } else {
        document
    })
}

/// Lets a run be planned in spite of its soft failures.
#[utoipa::path(post, path = "/task-stages/{task_stage_id}/actions/override",
    tag = "policy checks", params(("task_stage_id" = String, Path)),
    request_body = OverrideInput,
    responses((status = 200, body = Document<Resource<TaskStageAttributes>>), (status = 409)))]
async fn override_stage(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    OptionalBody(input): OptionalBody<OverrideInput>,
) -> ApiResult<One> {
    let run = run_of_stage(&id)?;
    let comment = input.attributes.comment.as_deref();
    service::override_check(&app, &ctx, &run, STAGE, comment).await?;
    let read = service::read(&app, &ctx, &run, STAGE).await?;
    Ok(Document::of(task_stage(&ctx, &read)))
}

/// Lists the policy evaluations of a task stage.
#[utoipa::path(get, path = "/task-stages/{task_stage_id}/policy-evaluations",
    tag = "policy checks", params(("task_stage_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<EvaluationAttributes>>>)))]
async fn evaluations(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Vec<Resource<EvaluationAttributes>>>> {
    let read = service::read(&app, &ctx, &run_of_stage(&id)?, STAGE).await?;
    Ok(Document::of(vec![evaluation(&read)]))
}

/// Reads a policy evaluation.
#[utoipa::path(get, path = "/policy-evaluations/{policy_evaluation_id}", tag = "policy checks",
    params(("policy_evaluation_id" = String, Path)),
    responses((status = 200, body = Document<Resource<EvaluationAttributes>>)))]
async fn read_evaluation(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<EvaluationAttributes>>> {
    let read = service::read(&app, &ctx, &run_of_evaluation(&id)?, STAGE).await?;
    Ok(Document::of(evaluation(&read)))
}

/// Lists what each policy group says in an evaluation.
#[utoipa::path(get, path = "/policy-evaluations/{policy_evaluation_id}/policy-set-outcomes",
    tag = "policy checks", params(("policy_evaluation_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<OutcomeAttributes>>>)))]
async fn set_outcomes(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Vec<Resource<OutcomeAttributes>>>> {
    let read = service::read(&app, &ctx, &run_of_evaluation(&id)?, STAGE).await?;
    Ok(Document::of(outcomes(&read)))
}

/// Reads what one policy group says in an evaluation.
#[utoipa::path(get, path = "/policy-set-outcomes/{policy_set_outcome_id}", tag = "policy checks",
    params(("policy_set_outcome_id" = String, Path)),
    responses((status = 200, body = Document<Resource<OutcomeAttributes>>)))]
async fn read_outcome(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<OutcomeAttributes>>> {
    let id: PolicySetOutcomeId = id.parse().map_err(|_| ApiError::not_found())?;
    let place = id
        .body()
        .rsplit_once('-')
        .and_then(|(run, position)| Some((run, position.parse::<usize>().ok()?)));
    let (run, position) = place.ok_or_else(ApiError::not_found)?;
    let read = service::read(&app, &ctx, &RunId::beside(run), STAGE).await?;
    let outcome = outcomes(&read).into_iter().nth(position);
    Ok(Document::of(outcome.ok_or_else(ApiError::not_found)?))
}
