//! The route of TFE's audit trail, for the clients that know it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::filter::Filter;
use super::service;
use super::store::Order;
use super::trail::{Trail, TrailPagination, entry};
use crate::app::App;
use crate::context::Context;
use crate::http::error::ApiResult;
use crate::http::page::Page;
use crate::http::query::Query;

/// As many as these clients are used to.
const MOST: i64 = 1000;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(trail))
}

/// The audit log as TFE's clients read it: from `since` on, oldest first, so that pages don't move
/// while records are added. `page[size]` is 1000 unless told.
#[utoipa::path(get, path = "/organization/audit-trail", tag = "audit",
    responses((status = 200, body = Trail)))]
async fn trail(State(app): State<Arc<App>>, ctx: Context, query: Query) -> ApiResult<Json<Trail>> {
    let page = Page::bounded(&query, MOST, MOST)?;
    let filter = Filter {
        since: query.time("since", false)?,
        ..Filter::default()
    };
    let found = service::search(&app, &ctx, &filter, Order::OldestFirst, page).await?;
    Ok(Json(Trail {
        data: found.items.iter().map(entry).collect(),
        pagination: TrailPagination::new(page, found.total),
    }))
}
