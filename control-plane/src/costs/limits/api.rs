//! Routes of limits.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::CostLimitId;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{LimitAttributes, LimitInput, resource};
use super::model::CostLimit;
use super::service::{self, Place};
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::http::page::{Page, Pagination};
use crate::workspaces::api::workspace_id;

pub(in crate::costs) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_of_environment, create_on_environment))
        .routes(routes!(list_of_workspace, create_on_workspace))
        .routes(routes!(read, update, delete))
}

type One = Document<Resource<LimitAttributes>>;
type Many = Document<Vec<Resource<LimitAttributes>>>;

fn limit_id(text: &str) -> ApiResult<CostLimitId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// All in one page: there are few.
fn all(limits: &[CostLimit]) -> Many {
    let total = i64::try_from(limits.len()).unwrap_or(i64::MAX);
    let page = Page {
        number: 1,
        size: total.max(20),
    };
    Document::page(
        limits.iter().map(resource).collect(),
        Pagination::new(page, total),
    )
}

/// Lists the cost limits on an environment; they hold for each of its workspaces.
#[utoipa::path(get, path = "/organizations/{organization}/cost-limits", tag = "costs",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<LimitAttributes>>>)))]
async fn list_of_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(name): Path<String>,
) -> ApiResult<Many> {
    let limits = service::list(&app, &ctx, &Place::Environment(name)).await?;
    Ok(all(&limits))
}

/// Puts a cost limit on each workspace of an environment.
#[utoipa::path(post, path = "/organizations/{organization}/cost-limits", tag = "costs",
    params(("organization" = String, Path)), request_body = Input<LimitInput>,
    responses((status = 201, body = Document<Resource<LimitAttributes>>)))]
async fn create_on_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(name): Path<String>,
    Body(input): Body<LimitInput>,
) -> ApiResult<Created<Resource<LimitAttributes>>> {
    let new = input.attributes.into_new()?;
    let made = service::create(&app, &ctx, &Place::Environment(name), new).await?;
    Ok(Created(Document::of(resource(&made))))
}

/// Lists the cost limits that hold for a workspace: its own and those of its environment.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/cost-limits", tag = "costs",
    params(("workspace_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<LimitAttributes>>>)))]
async fn list_of_workspace(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Many> {
    let place = Place::Workspace(workspace_id(&id)?);
    Ok(all(&service::list(&app, &ctx, &place).await?))
}

/// Puts a cost limit on a workspace.
#[utoipa::path(post, path = "/workspaces/{workspace_id}/cost-limits", tag = "costs",
    params(("workspace_id" = String, Path)), request_body = Input<LimitInput>,
    responses((status = 201, body = Document<Resource<LimitAttributes>>)))]
async fn create_on_workspace(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<LimitInput>,
) -> ApiResult<Created<Resource<LimitAttributes>>> {
    let new = input.attributes.into_new()?;
    let place = Place::Workspace(workspace_id(&id)?);
    let made = service::create(&app, &ctx, &place, new).await?;
    Ok(Created(Document::of(resource(&made))))
}

/// Reads a cost limit.
#[utoipa::path(get, path = "/cost-limits/{cost_limit_id}", tag = "costs",
    params(("cost_limit_id" = String, Path)),
    responses((status = 200, body = Document<Resource<LimitAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context, Path(id): Path<String>) -> ApiResult<One> {
    let found = service::read(&app, &ctx, &limit_id(&id)?).await?;
    Ok(Document::of(resource(&found)))
}

/// Changes a cost limit. Estimates that were made stay as they are.
#[utoipa::path(patch, path = "/cost-limits/{cost_limit_id}", tag = "costs",
    params(("cost_limit_id" = String, Path)), request_body = Input<LimitInput>,
    responses((status = 200, body = Document<Resource<LimitAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<LimitInput>,
) -> ApiResult<One> {
    let change = input.attributes.into_change()?;
    let changed = service::update(&app, &ctx, &limit_id(&id)?, change).await?;
    Ok(Document::of(resource(&changed)))
}

/// Deletes a cost limit.
#[utoipa::path(delete, path = "/cost-limits/{cost_limit_id}", tag = "costs",
    params(("cost_limit_id" = String, Path)), responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &limit_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
