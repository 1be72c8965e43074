//! The route of the matrix: pages of JSON:API, or all of it as CSV.

use std::str::FromStr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::UnknownWord;
use domain::policy::Change;
use http::{HeaderMap, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::analysis_id;
use super::attributes::{ResultAttributes, result};
use super::model::FieldFilter;
use super::{export, service};
use crate::app::App;
use crate::context::Context;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Document, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;
use crate::problem::Kind;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(results))
}

fn bad_parameter(error: impl ToString) -> ApiError {
    ApiError::new(Kind::Malformed, "request.bad-parameter", error.to_string())
}

/// A word of a known set; none when the parameter is absent.
pub(super) fn word<T>(query: &Query, key: &str) -> ApiResult<Option<T>>
where
    T: FromStr<Err = UnknownWord>,
{
    let parse = |text: &str| text.parse().map_err(bad_parameter);
    query.get(key).map(parse).transpose()
}

fn filter(query: &Query) -> ApiResult<FieldFilter> {
    let words = |key: &str| query.words(key).into_iter().map(str::to_owned).collect();
    let mut changes = query
        .words("filter[change]")
        .into_iter()
        .map(|text| text.parse::<Change>().map_err(bad_parameter))
        .collect::<ApiResult<Vec<Change>>>()?;
    match query.get("filter[changed]") {
        None => {}
        Some("true") => {
            let all = Change::ALL.iter().copied();
            changes.extend(all.filter(|change| *change != Change::Unchanged));
        }
        Some("false") => changes.push(Change::Unchanged),
        Some(other) => {
            return Err(bad_parameter(format!(
                "`filter[changed]` must be true or false, not {other:?}"
            )));
        }
    }
    Ok(FieldFilter {
        changes,
        policies: words("filter[policy]"),
        environments: words("filter[environment]"),
        results: words("filter[result]"),
    })
}

fn wants_csv(query: &Query, headers: &HeaderMap) -> bool {
    let accepts = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("text/csv"));
    query.get("format") == Some("csv") || (accepts && query.get("format").is_none())
}

/// Lists the fields of the matrix, what changed first: new failures, new passes, other changes, the
/// rest; each by environment, workspace and policy. Filters: `filter[changed]` (`true`, `false`),
/// `filter[change]`, `filter[policy]`, `filter[environment]` (names or ids) and `filter[result]`
/// (under the proposed revision), each with words between commas. With `Accept: text/csv` or
/// `format=csv` all of it as CSV, with the runs that can't be judged at its end.
#[utoipa::path(get, path = "/impact-analyses/{impact_analysis_id}/results",
    tag = "impact-analyses", params(("impact_analysis_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<ResultAttributes>>>)))]
async fn results(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let id = analysis_id(&id)?;
    let filter = filter(&query)?;
    if wants_csv(&query, &headers) {
        // What can't be seen should be refused with a status, not with a broken body.
        service::read(&app, &ctx, &id).await?;
        let stream = export::csv(app, ctx, id, filter);
        let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8")];
        return Ok((kind, Body::from_stream(stream)).into_response());
    }
    let page = Page::from_query(&query)?;
    let found = service::results(&app, &ctx, &id, &filter, page).await?;
    let data: Vec<Resource<ResultAttributes>> = found.items.iter().map(result).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)).into_response())
}
