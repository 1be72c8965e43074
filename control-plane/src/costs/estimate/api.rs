//! Routes of estimates.

use std::sync::Arc;

use axum::body::Body as RawBody;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::ids::CostEstimateId;
use http::header;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{EstimateAttributes, resource};
use super::service::{self, Key};
use crate::app::App;
use crate::context::Context;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Document, Resource};

pub(in crate::costs) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(read))
        .routes(routes!(output))
        .routes(routes!(read_of_run))
}

type One = Document<Resource<EstimateAttributes>>;

fn estimate_id(text: &str) -> ApiResult<CostEstimateId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Reads the cost estimate of a plan.
#[utoipa::path(get, path = "/cost-estimates/{cost_estimate_id}", tag = "costs",
    params(("cost_estimate_id" = String, Path)),
    responses((status = 200, body = Document<Resource<EstimateAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context, Path(id): Path<String>) -> ApiResult<One> {
    let found = service::read(&app, &ctx, &Key::Id(estimate_id(&id)?)).await?;
    Ok(Document::of(resource(&found)))
}

/// Reads the cost estimate of a run.
#[utoipa::path(get, path = "/runs/{run_id}/cost-estimate", tag = "costs",
    params(("run_id" = String, Path)),
    responses((status = 200, body = Document<Resource<EstimateAttributes>>), (status = 404)))]
async fn read_of_run(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<One> {
    let run = id.parse().map_err(|_| ApiError::not_found())?;
    let found = service::read(&app, &ctx, &Key::Run(run)).await?;
    Ok(Document::of(resource(&found)))
}

/// Every resource of a finished estimate, as `terrane cost estimate --json` prints it.
#[utoipa::path(get, path = "/cost-estimates/{cost_estimate_id}/output", tag = "costs",
    params(("cost_estimate_id" = String, Path)),
    responses((status = 200, content_type = "application/json"), (status = 404)))]
async fn output(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let object = service::report(&app, &ctx, &estimate_id(&id)?).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_LENGTH, object.size().to_string()),
    ];
    Ok((headers, RawBody::from_stream(object.stream_from(0))).into_response())
}
