//! The route of exports.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::export::{Export, Format};
use super::filter::Filter;
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::error::{ApiError, ApiResult};
use crate::http::query::Query;
use crate::problem::Kind;

/// Where the chain stood when the export began: its last record.
const SEQUENCE: HeaderName = HeaderName::from_static("terrane-audit-sequence");
const HASH: HeaderName = HeaderName::from_static("terrane-audit-hash");

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(export))
}

fn format(query: &Query) -> ApiResult<Format> {
    match query.get("format") {
        None | Some("json" | "jsonl") => Ok(Format::JsonLines),
        Some("csv") => Ok(Format::Csv),
        Some(other) => Err(ApiError::new(
            Kind::Malformed,
            "request.bad-parameter",
            format!("`format` must be json (JSON lines) or csv, not {other:?}"),
        )),
    }
}

/// Exports the audit log, in the order of its chain: `format=json` (JSON lines, for `terrane audit
/// verify`) or `format=csv`. Takes the filters of the search; only an export without filters can be
/// verified. The headers `terrane-audit-sequence` and `terrane-audit-hash` name the chain's last
/// record. That it was exported is recorded.
#[utoipa::path(get, path = "/audit-export", tag = "audit",
    responses((status = 200, content_type = "application/x-ndjson", body = String)))]
async fn export(State(app): State<Arc<App>>, ctx: Context, query: Query) -> ApiResult<Response> {
    let (format, filter) = (format(&query)?, Filter::from_query(&query)?);
    let chain = service::begin_export(&app, &ctx, &filter, format.as_str()).await?;
    let kind = match format {
        Format::JsonLines => "application/x-ndjson",
        Format::Csv => "text/csv; charset=utf-8",
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (SEQUENCE, chain.sequence.to_string()),
        (HASH, chain.hash.clone()),
    ];
    let export = Export {
        tenant: ctx.tenant(),
        app,
        filter,
        format,
        chain,
    };
    Ok((headers, Body::from_stream(export.stream())).into_response())
}
