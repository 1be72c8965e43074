//! Routes of one workspace's costs.

use std::sync::Arc;

use axum::extract::{Path, State};
use chrono::{Datelike as _, NaiveDate};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{CostHistoryAttributes, WorkspaceCostAttributes, entry, workspace_cost};
use super::read_store::Span;
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Document, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;
use crate::problem::Kind;
use crate::workspaces::api::workspace_id;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(current))
        .routes(routes!(history))
}

pub(super) fn bad_parameter(key: &str, wanted: &str) -> ApiError {
    ApiError::new(
        Kind::Malformed,
        "request.bad-parameter",
        format!("`{key}` must be {wanted}"),
    )
}

/// A day that both databases can compare.
fn parse_day(text: &str) -> Option<NaiveDate> {
    let day: NaiveDate = text.parse().ok()?;
    (1970..=9990).contains(&day.year()).then_some(day)
}

/// A day as `2026-05-01`.
pub(super) fn date(query: &Query, key: &str) -> ApiResult<Option<NaiveDate>> {
    let wrong = || bad_parameter(key, "a day such as 2026-05-01");
    let read = |text: &str| parse_day(text).ok_or_else(wrong);
    query.get(key).map(read).transpose()
}

/// What the current state of a workspace costs, with subtotals of modules and tags.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/cost", tag = "costs",
    params(("workspace_id" = String, Path)),
    responses((status = 200, body = Document<Resource<WorkspaceCostAttributes>>)))]
async fn current(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<WorkspaceCostAttributes>>> {
    let found = service::current(&app, &ctx, &workspace_id(&id)?).await?;
    Ok(Document::of(workspace_cost(&found)))
}

/// What each state of a workspace cost while it was current, the newest first. `filter[since]` and
/// `filter[until]` (times or days) say when it became so.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/cost-history", tag = "costs",
    params(("workspace_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<CostHistoryAttributes>>>)))]
async fn history(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<CostHistoryAttributes>>>> {
    let page = Page::from_query(&query)?;
    let span = Span {
        since: query.time("filter[since]", false)?,
        until: query.time("filter[until]", true)?,
    };
    let found = service::history(&app, &ctx, &workspace_id(&id)?, span, page).await?;
    let data = found.items.iter().map(entry).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}
