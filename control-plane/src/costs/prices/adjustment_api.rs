//! Routes of an account's own prices.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::CostAdjustmentId;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{AdjustmentAttributes, AdjustmentInput, resource};
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
}

type One = Document<Resource<AdjustmentAttributes>>;

fn adjustment_id(text: &str) -> ApiResult<CostAdjustmentId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Lists the discounts and fixed prices of the account.
#[utoipa::path(get, path = "/cost-adjustments", tag = "costs",
    responses((status = 200, body = Document<Vec<Resource<AdjustmentAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    query: Query,
) -> ApiResult<Document<Vec<Resource<AdjustmentAttributes>>>> {
    let page = Page::from_query(&query)?;
    let found = service::list(&app, &ctx, page).await?;
    let data = found.items.iter().map(resource).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Gives the account a discount or a fixed price. It counts from the next estimate on.
#[utoipa::path(post, path = "/cost-adjustments", tag = "costs",
    request_body = Input<AdjustmentInput>,
    responses((status = 201, body = Document<Resource<AdjustmentAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<AdjustmentInput>,
) -> ApiResult<Created<Resource<AdjustmentAttributes>>> {
    let made = service::create(&app, &ctx, input.attributes.into_new()?).await?;
    Ok(Created(Document::of(resource(&made))))
}

/// Reads a discount or fixed price.
#[utoipa::path(get, path = "/cost-adjustments/{cost_adjustment_id}", tag = "costs",
    params(("cost_adjustment_id" = String, Path)),
    responses((status = 200, body = Document<Resource<AdjustmentAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context, Path(id): Path<String>) -> ApiResult<One> {
    let found = service::read(&app, &ctx, &adjustment_id(&id)?).await?;
    Ok(Document::of(resource(&found)))
}

/// Changes a discount or fixed price. It counts from the next estimate on.
#[utoipa::path(patch, path = "/cost-adjustments/{cost_adjustment_id}", tag = "costs",
    params(("cost_adjustment_id" = String, Path)), request_body = Input<AdjustmentInput>,
    responses((status = 200, body = Document<Resource<AdjustmentAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<AdjustmentInput>,
) -> ApiResult<One> {
    let change = input.attributes.into_change()?;
    let changed = service::update(&app, &ctx, &adjustment_id(&id)?, change).await?;
    Ok(Document::of(resource(&changed)))
}

/// Deletes a discount or fixed price.
#[utoipa::path(delete, path = "/cost-adjustments/{cost_adjustment_id}", tag = "costs",
    params(("cost_adjustment_id" = String, Path)), responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &adjustment_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
