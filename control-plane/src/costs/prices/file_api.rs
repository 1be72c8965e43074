//! Routes of usage files and price rows. Their bodies are the files themselves.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::files::{self, Place};
use crate::app::App;
use crate::context::Context;
use crate::http::error::ApiResult;
use crate::workspaces::api::workspace_id;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(read_rows, put_rows, delete_rows))
        .routes(routes!(
            read_of_environment,
            put_of_environment,
            delete_of_environment
        ))
        .routes(routes!(
            read_of_workspace,
            put_of_workspace,
            delete_of_workspace
        ))
}

async fn read(
    app: &App,
    ctx: &Context,
    place: Place,
    media_type: &'static str,
) -> ApiResult<Response> {
    let content = files::read(app, ctx, &place).await?;
    Ok(([(header::CONTENT_TYPE, media_type)], content).into_response())
}

async fn put(app: &App, ctx: &Context, place: Place, body: &[u8]) -> ApiResult<StatusCode> {
    files::put(app, ctx, &place, body).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(app: &App, ctx: &Context, place: Place) -> ApiResult<StatusCode> {
    files::delete(app, ctx, &place).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The account's own price rows, as CSV.
#[utoipa::path(get, path = "/account/cost-price-rows", tag = "costs",
    responses((status = 200, content_type = "text/csv"), (status = 404)))]
async fn read_rows(State(app): State<Arc<App>>, ctx: Context) -> ApiResult<Response> {
    read(&app, &ctx, Place::Account, "text/csv; charset=utf-8").await
}

/// Replaces the account's own price rows. They count before those of the price book.
#[utoipa::path(put, path = "/account/cost-price-rows", tag = "costs",
    request_body(content = String, content_type = "text/csv"),
    responses((status = 204), (status = 422)))]
async fn put_rows(State(app): State<Arc<App>>, ctx: Context, body: Bytes) -> ApiResult<StatusCode> {
    put(&app, &ctx, Place::Account, &body).await
}

/// Deletes the account's own price rows.
#[utoipa::path(delete, path = "/account/cost-price-rows", tag = "costs",
    responses((status = 204), (status = 404)))]
async fn delete_rows(State(app): State<Arc<App>>, ctx: Context) -> ApiResult<StatusCode> {
    delete(&app, &ctx, Place::Account).await
}

/// The usage file of an environment.
#[utoipa::path(get, path = "/organizations/{organization}/cost-usage", tag = "costs",
    params(("organization" = String, Path)),
    responses((status = 200, content_type = "application/yaml"), (status = 404)))]
async fn read_of_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(name): Path<String>,
) -> ApiResult<Response> {
    read(&app, &ctx, Place::Environment(name), "application/yaml").await
}

/// Replaces the usage file of an environment. Those of its workspaces win over it, value by value.
#[utoipa::path(put, path = "/organizations/{organization}/cost-usage", tag = "costs",
    params(("organization" = String, Path)),
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 204), (status = 422)))]
async fn put_of_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(name): Path<String>,
    body: Bytes,
) -> ApiResult<StatusCode> {
    put(&app, &ctx, Place::Environment(name), &body).await
}

/// Deletes the usage file of an environment.
#[utoipa::path(delete, path = "/organizations/{organization}/cost-usage", tag = "costs",
    params(("organization" = String, Path)), responses((status = 204), (status = 404)))]
async fn delete_of_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(name): Path<String>,
) -> ApiResult<StatusCode> {
    delete(&app, &ctx, Place::Environment(name)).await
}

/// The usage file of a workspace.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/cost-usage", tag = "costs",
    params(("workspace_id" = String, Path)),
    responses((status = 200, content_type = "application/yaml"), (status = 404)))]
async fn read_of_workspace(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let place = Place::Workspace(workspace_id(&id)?);
    read(&app, &ctx, place, "application/yaml").await
}

/// Replaces the usage file of a workspace. It counts from the next estimate on.
#[utoipa::path(put, path = "/workspaces/{workspace_id}/cost-usage", tag = "costs",
    params(("workspace_id" = String, Path)),
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 204), (status = 422)))]
async fn put_of_workspace(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    body: Bytes,
) -> ApiResult<StatusCode> {
    put(&app, &ctx, Place::Workspace(workspace_id(&id)?), &body).await
}

/// Deletes the usage file of a workspace.
#[utoipa::path(delete, path = "/workspaces/{workspace_id}/cost-usage", tag = "costs",
    params(("workspace_id" = String, Path)), responses((status = 204), (status = 404)))]
async fn delete_of_workspace(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    delete(&app, &ctx, Place::Workspace(workspace_id(&id)?)).await
}
