//! Routes of streams.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::AuditStreamId;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{StreamAttributes, StreamInput, resource};
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;

pub(in crate::audit) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
}

fn stream_id(text: &str) -> ApiResult<AuditStreamId> {
    text.parse().map_err(|_| ApiError::not_found())
}

type One = Document<Resource<StreamAttributes>>;

/// Lists the streams of the account's audit log, with how each fares.
#[utoipa::path(get, path = "/audit-streams", tag = "audit",
    responses((status = 200, body = Document<Vec<Resource<StreamAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    query: Query,
) -> ApiResult<Document<Vec<Resource<StreamAttributes>>>> {
    let page = Page::from_query(&query)?;
    let (found, chain) = service::list(&app, &ctx, page).await?;
    let data = found.items.iter().map(|it| resource(it, &chain)).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Makes a stream: to a `webhook` at a `url`, or to an `s3` `bucket`.
#[utoipa::path(post, path = "/audit-streams", tag = "audit", request_body = Input<StreamInput>,
    responses((status = 201, body = Document<Resource<StreamAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<StreamInput>,
) -> ApiResult<Created<Resource<StreamAttributes>>> {
    let new = input.attributes.into_new()?;
    let (made, chain) = service::create(&app, &ctx, new).await?;
    Ok(Created(Document::of(resource(&made, &chain))))
}

/// Reads a stream.
#[utoipa::path(get, path = "/audit-streams/{audit_stream_id}", tag = "audit",
    params(("audit_stream_id" = String, Path)),
    responses((status = 200, body = Document<Resource<StreamAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context, Path(id): Path<String>) -> ApiResult<One> {
    let (found, chain) = service::read(&app, &ctx, &stream_id(&id)?).await?;
    Ok(Document::of(resource(&found, &chain)))
}

/// Changes a stream, pauses it (`paused`), or lets it go on. It is tried at once.
#[utoipa::path(patch, path = "/audit-streams/{audit_stream_id}", tag = "audit",
    params(("audit_stream_id" = String, Path)), request_body = Input<StreamInput>,
    responses((status = 200, body = Document<Resource<StreamAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<StreamInput>,
) -> ApiResult<One> {
    let id = stream_id(&id)?;
    let (found, _) = service::read(&app, &ctx, &id).await?;
    let change = input.attributes.into_change(&found)?;
    let (changed, chain) = service::update(&app, &ctx, &id, change).await?;
    Ok(Document::of(resource(&changed, &chain)))
}

/// Deletes a stream. What has arrived stays where it is.
#[utoipa::path(delete, path = "/audit-streams/{audit_stream_id}", tag = "audit",
    params(("audit_stream_id" = String, Path)), responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &stream_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
