//! Routes of runners (`agents` on the wire).

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::RunnerId;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::agent_service as service;
use super::api::pool_id;
use super::attributes::{AgentAttributes, agent};
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Document, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;
use crate::problem::Kind;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(read, delete))
}

fn runner_id(text: &str) -> ApiResult<RunnerId> {
    text.parse().map_err(|_| ApiError::not_found())
}

fn since(query: &Query) -> ApiResult<Option<Timestamp>> {
    const KEY: &str = "filter[last-ping-since]";
    let time = query.get(KEY).map(str::parse).transpose();
    time.map_err(|_| {
        ApiError::new(
            Kind::Malformed,
            "request.bad-parameter",
            format!("`{KEY}` must be a time as in RFC 3339"),
        )
    })
}

/// Lists the runners of a pool.
#[utoipa::path(get, path = "/agent-pools/{agent_pool_id}/agents", tag = "agents",
    params(("agent_pool_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<AgentAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<AgentAttributes>>>> {
    let page = Page::from_query(&query)?;
    let (demands, found) = service::list(&app, &ctx, &pool_id(&id)?, since(&query)?, page).await?;
    let now = ctx.now();
    let data = found
        .items
        .iter()
        .map(|it| agent(it, demands, now))
        .collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Reads a runner.
#[utoipa::path(get, path = "/agents/{agent_id}", tag = "agents",
    params(("agent_id" = String, Path)),
    responses((status = 200, body = Document<Resource<AgentAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<AgentAttributes>>> {
    let (demands, found) = service::read(&app, &ctx, &runner_id(&id)?).await?;
    Ok(Document::of(agent(&found, demands, ctx.now())))
}

/// Revokes a runner: it is disconnected at once and can't come back.
#[utoipa::path(delete, path = "/agents/{agent_id}", tag = "agents",
    params(("agent_id" = String, Path)), responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::revoke(&app, &ctx, &runner_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
