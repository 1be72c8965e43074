//! Routes of plans: status, log, and the plan itself as JSON.

use std::sync::Arc;

use axum::body::Body as RawBody;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::ids::{BlobId, PlanId};
use domain::run::Phase;
use http::header;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::RunError;
use super::logs;
use super::model::Run;
use super::phase_attributes::{PlanAttributes, plan};
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Document, Resource};
use crate::http::query::Query;
use crate::http::signed::{self, Purpose};
use crate::objects;

/// The most that one log request brings: what clients ask for.
const MAX_LOG_READ: u64 = 1 << 20;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(read))
        .routes(routes!(json_output))
        .routes(routes!(json_output_redacted))
        .routes(routes!(read_of_run))
}

pub(super) fn signed_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(log))
}

fn plan_id(text: &str) -> ApiResult<PlanId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Reads a plan.
#[utoipa::path(get, path = "/plans/{plan_id}", tag = "plans", params(("plan_id" = String, Path)),
    responses((status = 200, body = Document<Resource<PlanAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<PlanAttributes>>> {
    let run = service::read_by_plan(&app, &ctx, &plan_id(&id)?).await?;
    Ok(Document::of(plan(&app, &run)))
}

/// Reads the plan of a run.
#[utoipa::path(get, path = "/runs/{run_id}/plan", tag = "plans", params(("run_id" = String, Path)),
    responses((status = 200, body = Document<Resource<PlanAttributes>>)))]
async fn read_of_run(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<PlanAttributes>>> {
    let run = service::read(&app, &ctx, &super::api::run_id(&id)?).await?;
    Ok(Document::of(plan(&app, &run)))
}

async fn json_blob(
    app: &App,
    ctx: &Context,
    run: &Run,
    blob: Option<&BlobId>,
) -> ApiResult<Response> {
    let blob = blob.ok_or(RunError::NotFound)?;
    let object = objects::open(app, &ctx.tenant(), blob)
        .await
        .map_err(RunError::from)?;
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_LENGTH, object.size().to_string()),
        (header::ETAG, format!("\"{}\"", run.plan_id)),
    ];
    Ok((headers, RawBody::from_stream(object.stream_from(0))).into_response())
}

/// The plan as `terraform show -json` prints it, sensitive values in clear: needs a permission of
/// its own.
#[utoipa::path(get, path = "/plans/{plan_id}/json-output", tag = "plans",
    params(("plan_id" = String, Path)),
    responses((status = 200, content_type = "application/json"), (status = 404)))]
async fn json_output(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let run = service::read_by_plan(&app, &ctx, &plan_id(&id)?).await?;
    service::may_read_json_plan(&ctx, &run)?;
    json_blob(&app, &ctx, &run, run.plan_json.as_ref()).await
}

/// The plan as clients render it, sensitive values blanked.
#[utoipa::path(get, path = "/plans/{plan_id}/json-output-redacted", tag = "plans",
    params(("plan_id" = String, Path)),
    responses((status = 200, content_type = "application/json"), (status = 404)))]
async fn json_output_redacted(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let run = service::read_by_plan(&app, &ctx, &plan_id(&id)?).await?;
    json_blob(&app, &ctx, &run, run.plan_redacted.as_ref()).await
}

/// A part of a phase's log, in one piece.
pub(super) async fn log_part(
    app: &App,
    run: &Run,
    phase: Phase,
    query: &Query,
) -> ApiResult<Response> {
    let number = |key| query.get(key).and_then(|text| text.parse::<u64>().ok());
    let offset = number("offset").unwrap_or(0);
    let limit = number("limit").unwrap_or(MAX_LOG_READ).min(MAX_LOG_READ);
    let body = logs::read_marked(app, run, phase, offset, limit).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response())
}

/// The log of a plan: `limit` bytes from `offset`, between STX and ETX.
#[utoipa::path(get, path = "/_signed/plan-log/{id}/{expires}/{signature}", tag = "plans",
    security(()),
    params(("id" = String, Path), ("expires" = i64, Path), ("signature" = String, Path)),
    responses((status = 200, content_type = "text/plain"), (status = 404)))]
async fn log(
    State(app): State<Arc<App>>,
    Path((id, expires, signature)): Path<(String, i64, String)>,
    query: Query,
) -> ApiResult<Response> {
    signed::verify(&app, Purpose::PlanLog, &id, expires, &signature)?;
    let run = service::of_phase(&app, &id).await?;
    log_part(&app, &run, Phase::Plan, &query).await
}
