//! Routes of policy checks after a plan.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::ids::{PolicyCheckId, RunId};
use domain::policy::PolicyStage;
use http::header;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{PolicyCheckAttributes, ResultAttributes, policy_check, result};
use super::{output, service};
use crate::app::App;
use crate::context::Context;
use crate::http::attributes::Attributes;
use crate::http::body::OptionalBody;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Document, Resource};
use crate::runs::api::run_id;

const STAGE: PolicyStage = PolicyStage::PostPlan;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_of_run))
        .routes(routes!(read))
        .routes(routes!(text))
        .routes(routes!(results))
        .routes(routes!(override_check))
}

fn run_of(text: &str) -> ApiResult<RunId> {
    let id: PolicyCheckId = text.parse().map_err(|_| ApiError::not_found())?;
    Ok(RunId::beside(id.body()))
}

/// Lists the policy checks of a run: one, once its plan is there and policies are in force.
#[utoipa::path(get, path = "/runs/{run_id}/policy-checks", tag = "policy checks",
    params(("run_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<PolicyCheckAttributes>>>)))]
async fn list_of_run(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Vec<Resource<PolicyCheckAttributes>>>> {
    let found = service::find(&app, &ctx, &run_id(&id)?, STAGE).await?;
    Ok(Document::of(
        found.iter().map(|read| policy_check(&ctx, read)).collect(),
    ))
}

/// Reads a policy check.
#[utoipa::path(get, path = "/policy-checks/{policy_check_id}", tag = "policy checks",
    params(("policy_check_id" = String, Path)),
    responses((status = 200, body = Document<Resource<PolicyCheckAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<PolicyCheckAttributes>>> {
    let read = service::read(&app, &ctx, &run_of(&id)?, STAGE).await?;
    Ok(Document::of(policy_check(&ctx, &read)))
}

/// What a policy check says, as text.
#[utoipa::path(get, path = "/policy-checks/{policy_check_id}/output", tag = "policy checks",
    params(("policy_check_id" = String, Path)),
    responses((status = 200, content_type = "text/plain")))]
async fn text(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let read = service::read(&app, &ctx, &run_of(&id)?, STAGE).await?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((headers, output::text(&read.check, &read.results)).into_response())
}

/// Each policy's word in a policy check, with all that it said.
#[utoipa::path(get, path = "/policy-checks/{policy_check_id}/policy-results",
    tag = "policy checks", params(("policy_check_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<ResultAttributes>>>)))]
async fn results(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Vec<Resource<ResultAttributes>>>> {
    let read = service::read(&app, &ctx, &run_of(&id)?, STAGE).await?;
    Ok(Document::of(read.results.iter().map(result).collect()))
}

/// The body of an override: `{}`, nothing, or a comment.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct OverrideInput {
    pub comment: Option<String>,
}

impl Attributes for OverrideInput {
    const TYPES: &'static [&'static str] = &["policy-checks", "task-stages"];
}

/// Lets a run pass in spite of its soft failures.
#[utoipa::path(post, path = "/policy-checks/{policy_check_id}/actions/override",
    tag = "policy checks", params(("policy_check_id" = String, Path)),
    request_body = OverrideInput,
    responses((status = 200, body = Document<Resource<PolicyCheckAttributes>>), (status = 409)))]
async fn override_check(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    OptionalBody(input): OptionalBody<OverrideInput>,
) -> ApiResult<Document<Resource<PolicyCheckAttributes>>> {
    let run = run_of(&id)?;
    let comment = input.attributes.comment.as_deref();
    service::override_check(&app, &ctx, &run, STAGE, comment).await?;
    let read = service::read(&app, &ctx, &run, STAGE).await?;
    Ok(Document::of(policy_check(&ctx, &read)))
}
