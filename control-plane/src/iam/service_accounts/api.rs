//! Routes of service accounts. Those of their tokens are with the other tokens.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::ServiceAccountId;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{ServiceAccountAttributes, ServiceAccountInput, resource};
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;

pub(in crate::iam) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
}

type One = Document<Resource<ServiceAccountAttributes>>;

fn service_account_id(text: &str) -> ApiResult<ServiceAccountId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Lists the account's service accounts, by name.
#[utoipa::path(get, path = "/service-accounts", tag = "access",
    responses((status = 200, body = Document<Vec<Resource<ServiceAccountAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    query: Query,
) -> ApiResult<Document<Vec<Resource<ServiceAccountAttributes>>>> {
    let page = Page::from_query(&query)?;
    let found = service::list(&app, &ctx, page).await?;
    let data = found.items.iter().map(resource).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Makes a service account. It has no grants yet.
#[utoipa::path(post, path = "/service-accounts", tag = "access",
    request_body = Input<ServiceAccountInput>,
    responses((status = 201, body = Document<Resource<ServiceAccountAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<ServiceAccountInput>,
) -> ApiResult<Created<Resource<ServiceAccountAttributes>>> {
    let made = service::create(&app, &ctx, input.attributes.into()).await?;
    Ok(Created(Document::of(resource(&made))))
}

/// Reads a service account.
#[utoipa::path(get, path = "/service-accounts/{service_account_id}", tag = "access",
    params(("service_account_id" = String, Path)),
    responses((status = 200, body = Document<Resource<ServiceAccountAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context, Path(id): Path<String>) -> ApiResult<One> {
    let found = service::read(&app, &ctx, &service_account_id(&id)?).await?;
    Ok(Document::of(resource(&found)))
}

/// Changes a service account; while it is disabled its tokens don't work.
#[utoipa::path(patch, path = "/service-accounts/{service_account_id}", tag = "access",
    params(("service_account_id" = String, Path)), request_body = Input<ServiceAccountInput>,
    responses((status = 200, body = Document<Resource<ServiceAccountAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<ServiceAccountInput>,
) -> ApiResult<One> {
    let id = service_account_id(&id)?;
    let changed = service::update(&app, &ctx, &id, input.attributes.into()).await?;
    Ok(Document::of(resource(&changed)))
}

/// Deletes a service account with its tokens and grants.
#[utoipa::path(delete, path = "/service-accounts/{service_account_id}", tag = "access",
    params(("service_account_id" = String, Path)), responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &service_account_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
