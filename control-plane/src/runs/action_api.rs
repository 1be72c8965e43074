//! Routes of what can be done to a run. Source: TFE contract, section 3.

use std::sync::Arc;

use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::actions::{self, Action};
use super::api::run_id;
use crate::app::App;
use crate::context::Context;
use crate::http::attributes::Attributes;
use crate::http::body::OptionalBody;
use crate::http::error::ApiResult;
use crate::http::jsonapi::InputData;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(apply))
        .routes(routes!(discard))
        .routes(routes!(cancel))
        .routes(routes!(force_cancel))
        .routes(routes!(force_execute))
        .routes(routes!(resolve))
}

/// The body of an action: `{}`, nothing, or a comment.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
struct ActionInput {
    comment: Option<String>,
}

impl Attributes for ActionInput {
    const TYPES: &'static [&'static str] = &["runs"];
}

async fn act(
    app: &App,
    ctx: &Context,
    id: &str,
    action: Action,
    input: &InputData<ActionInput>,
) -> ApiResult<StatusCode> {
    let comment = input.attributes.comment.as_deref();
    actions::act(app, ctx, &run_id(id)?, action, comment).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Confirms a plan: it will be applied.
#[utoipa::path(post, path = "/runs/{run_id}/actions/apply", tag = "runs",
    params(("run_id" = String, Path)), request_body = ActionInput,
    responses((status = 202), (status = 409)))]
async fn apply(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    OptionalBody(input): OptionalBody<ActionInput>,
) -> ApiResult<StatusCode> {
    act(&app, &ctx, &id, Action::Apply, &input).await
}

/// Throws a plan away.
#[utoipa::path(post, path = "/runs/{run_id}/actions/discard", tag = "runs",
    params(("run_id" = String, Path)), request_body = ActionInput,
    responses((status = 202), (status = 409)))]
async fn discard(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    OptionalBody(input): OptionalBody<ActionInput>,
) -> ApiResult<StatusCode> {
    act(&app, &ctx, &id, Action::Discard, &input).await
}

/// Stops a run; Terraform at work is interrupted once and finishes what it has begun.
#[utoipa::path(post, path = "/runs/{run_id}/actions/cancel", tag = "runs",
    params(("run_id" = String, Path)), request_body = ActionInput,
    responses((status = 202), (status = 409)))]
async fn cancel(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    OptionalBody(input): OptionalBody<ActionInput>,
) -> ApiResult<StatusCode> {
    act(&app, &ctx, &id, Action::Cancel, &input).await
}

/// Kills a run that a cancel didn't stop, once its state is known to be whole.
#[utoipa::path(post, path = "/runs/{run_id}/actions/force-cancel", tag = "runs",
    params(("run_id" = String, Path)), request_body = ActionInput,
    responses((status = 202), (status = 409)))]
async fn force_cancel(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    OptionalBody(input): OptionalBody<ActionInput>,
) -> ApiResult<StatusCode> {
    act(&app, &ctx, &id, Action::ForceCancel, &input).await
}

/// Starts a waiting run before those in front of it, discarding an unconfirmed one.
#[utoipa::path(post, path = "/runs/{run_id}/actions/force-execute", tag = "runs",
    params(("run_id" = String, Path)), request_body = ActionInput,
    responses((status = 202), (status = 409)))]
async fn force_execute(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    actions::force_execute(&app, &ctx, &run_id(&id)?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Says that the state after an uncertain apply is right, and gives the workspace back.
#[utoipa::path(post, path = "/runs/{run_id}/actions/resolve", tag = "runs",
    params(("run_id" = String, Path)), request_body = ActionInput,
    responses((status = 202), (status = 409)))]
async fn resolve(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    OptionalBody(input): OptionalBody<ActionInput>,
) -> ApiResult<StatusCode> {
    act(&app, &ctx, &id, Action::Resolve, &input).await
}
