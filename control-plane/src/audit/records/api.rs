//! Routes of audit records.

use std::sync::Arc;

use axum::extract::{Path, State};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{RecordAttributes, resource};
use super::filter::Filter;
use super::store::Order;
use super::{export_api, service, trail_api};
use crate::app::App;
use crate::context::Context;
use crate::http::error::ApiResult;
use crate::http::jsonapi::{Document, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;

pub(in crate::audit) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(search))
        .routes(routes!(read))
        .merge(export_api::routes())
        .merge(trail_api::routes())
}

/// Searches the audit log of the account, newest first. Filters, each with words between commas:
/// `filter[actor]` (ids or names), `filter[actor-kind]`, `filter[action]`, `filter[target-type]`,
/// `filter[target]` (ids), `filter[environment]` and `filter[workspace]` (names or ids),
/// `filter[outcome]`; and `filter[request-id]`, `filter[since]`, `filter[until]` (times or days).
#[utoipa::path(get, path = "/audit-records", tag = "audit",
    responses((status = 200, body = Document<Vec<Resource<RecordAttributes>>>)))]
async fn search(
    State(app): State<Arc<App>>,
    ctx: Context,
    query: Query,
) -> ApiResult<Document<Vec<Resource<RecordAttributes>>>> {
    let (page, filter) = (Page::from_query(&query)?, Filter::from_query(&query)?);
    let found = service::search(&app, &ctx, &filter, Order::NewestFirst, page).await?;
    let data = found.items.iter().map(resource).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Reads an audit record.
#[utoipa::path(get, path = "/audit-records/{audit_record_id}", tag = "audit",
    params(("audit_record_id" = String, Path)),
    responses((status = 200, body = Document<Resource<RecordAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<RecordAttributes>>> {
    let found = service::read(&app, &ctx, &id).await?;
    Ok(Document::of(resource(&found)))
}
