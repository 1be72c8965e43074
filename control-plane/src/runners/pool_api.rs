//! Routes of pools (`agent-pools` on the wire).

use std::sync::Arc;

use axum::extract::{Path, State};
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::pool_id;
use super::attributes::{PoolAttributes, PoolInput, check_supported, pool};
use super::demands::Demands;
use super::model::{Pool, PoolChange};
use super::pool_service::{self as service, Bound};
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::ApiResult;
use crate::http::jsonapi::{Document, Input, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
}

type One = Document<Resource<PoolAttributes>>;

fn with_workspaces(found: &Pool, bound: &Bound) -> Resource<PoolAttributes> {
    pool(found, bound.get(&found.id).map_or(&[], Vec::as_slice))
}

/// Lists the runner pools of the account.
#[utoipa::path(get, path = "/organizations/{organization}/agent-pools", tag = "agent-pools",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<PoolAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<PoolAttributes>>>> {
    let page = Page::from_query(&query)?;
    let (found, bound) = service::list(&app, &ctx, &organization, query.get("q"), page).await?;
    let data = found
        .items
        .iter()
        .map(|it| with_workspaces(it, &bound))
        .collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Creates a runner pool. Answers 200, as its clients expect.
#[utoipa::path(post, path = "/organizations/{organization}/agent-pools", tag = "agent-pools",
    params(("organization" = String, Path)), request_body = Input<PoolInput>,
    responses((status = 200, body = Document<Resource<PoolAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
    Body(input): Body<PoolInput>,
) -> ApiResult<One> {
    check_supported(&input)?;
    let demands = Demands {
        minimum_sandbox: input.attributes.level()?.unwrap_or_default(),
        refuse_reachable_metadata: input.attributes.refuse_reachable_metadata.unwrap_or(false),
    };
    let name = input.attributes.name.unwrap_or_default();
    let made = service::create(&app, &ctx, &organization, name, demands).await?;
    Ok(Document::of(pool(&made, &[])))
}

/// Reads a runner pool.
#[utoipa::path(get, path = "/agent-pools/{agent_pool_id}", tag = "agent-pools",
    params(("agent_pool_id" = String, Path)),
    responses((status = 200, body = Document<Resource<PoolAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context, Path(id): Path<String>) -> ApiResult<One> {
    let (found, bound) = service::read(&app, &ctx, &pool_id(&id)?).await?;
    Ok(Document::of(with_workspaces(&found, &bound)))
}

/// Changes a runner pool. What it demands of runners holds from the next job on.
#[utoipa::path(patch, path = "/agent-pools/{agent_pool_id}", tag = "agent-pools",
    params(("agent_pool_id" = String, Path)), request_body = Input<PoolInput>,
    responses((status = 200, body = Document<Resource<PoolAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<PoolInput>,
) -> ApiResult<One> {
    check_supported(&input)?;
    let change = PoolChange {
        minimum_sandbox: input.attributes.level()?,
        refuse_reachable_metadata: input.attributes.refuse_reachable_metadata,
        name: input.attributes.name,
    };
    let (found, bound) = service::update(&app, &ctx, &pool_id(&id)?, change).await?;
    Ok(Document::of(with_workspaces(&found, &bound)))
}

/// Deletes a runner pool that nothing uses; its runners are revoked.
#[utoipa::path(delete, path = "/agent-pools/{agent_pool_id}", tag = "agent-pools",
    params(("agent_pool_id" = String, Path)), responses((status = 204), (status = 409)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &pool_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
