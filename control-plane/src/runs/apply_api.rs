//! Routes of applies: status and log.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use domain::ids::ApplyId;
use domain::run::Phase;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::phase_attributes::{ApplyAttributes, apply};
use super::plan_api::log_part;
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Document, Resource};
use crate::http::query::Query;
use crate::http::signed::{self, Purpose};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(read))
        .routes(routes!(read_of_run))
}

pub(super) fn signed_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(log))
}

fn apply_id(text: &str) -> ApiResult<ApplyId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Reads an apply.
#[utoipa::path(get, path = "/applies/{apply_id}", tag = "applies",
    params(("apply_id" = String, Path)),
    responses((status = 200, body = Document<Resource<ApplyAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<ApplyAttributes>>> {
    let run = service::read_by_apply(&app, &ctx, &apply_id(&id)?).await?;
    Ok(Document::of(apply(&app, &run)))
}

/// Reads the apply of a run.
#[utoipa::path(get, path = "/runs/{run_id}/apply", tag = "applies",
    params(("run_id" = String, Path)),
    responses((status = 200, body = Document<Resource<ApplyAttributes>>)))]
async fn read_of_run(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<ApplyAttributes>>> {
    let run = service::read(&app, &ctx, &super::api::run_id(&id)?).await?;
    Ok(Document::of(apply(&app, &run)))
}

/// The log of an apply: `limit` bytes from `offset`, between STX and ETX.
#[utoipa::path(get, path = "/_signed/apply-log/{id}/{expires}/{signature}", tag = "applies",
    security(()),
    params(("id" = String, Path), ("expires" = i64, Path), ("signature" = String, Path)),
    responses((status = 200, content_type = "text/plain"), (status = 404)))]
async fn log(
    State(app): State<Arc<App>>,
    Path((id, expires, signature)): Path<(String, i64, String)>,
    query: Query,
) -> ApiResult<Response> {
    signed::verify(&app, Purpose::ApplyLog, &id, expires, &signature)?;
    let run = service::of_phase(&app, &id).await?;
    log_part(&app, &run, Phase::Apply, &query).await
}
