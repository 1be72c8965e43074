//! Routes of impact analyses.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::{ImpactAnalysisId, PolicyGroupId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{AnalysisAttributes, NoAttributes, RunAttributes, analysis, in_scope};
use super::{result_api, service};
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read))
        .routes(routes!(runs))
        .merge(result_api::routes())
}

pub(super) fn analysis_id(text: &str) -> ApiResult<ImpactAnalysisId> {
    text.parse().map_err(|_| ApiError::not_found())
}

fn group_id(text: &str) -> ApiResult<PolicyGroupId> {
    text.parse().map_err(|_| ApiError::not_found())
}

type One = Document<Resource<AnalysisAttributes>>;

/// Lists the impact analyses of a policy group, newest first.
#[utoipa::path(get, path = "/policy-groups/{policy_group_id}/impact-analyses",
    tag = "impact-analyses", params(("policy_group_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<AnalysisAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<AnalysisAttributes>>>> {
    let page = Page::from_query(&query)?;
    let found = service::list(&app, &ctx, &group_id(&id)?, page).await?;
    let data = found.items.iter().map(analysis).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Starts an analysis of a revision that is not in force, named by the relationship `revision`.
#[utoipa::path(post, path = "/policy-groups/{policy_group_id}/impact-analyses",
    tag = "impact-analyses", params(("policy_group_id" = String, Path)),
    request_body = Input<NoAttributes>,
    responses((status = 201, body = Document<Resource<AnalysisAttributes>>), (status = 409)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<NoAttributes>,
) -> ApiResult<Created<Resource<AnalysisAttributes>>> {
    let revision = input.related_id("revision");
    let made = service::start(&app, &ctx, &group_id(&id)?, revision).await?;
    Ok(Created(Document::of(analysis(&made))))
}

/// Reads an analysis: how far it is, and what it found in numbers.
#[utoipa::path(get, path = "/impact-analyses/{impact_analysis_id}", tag = "impact-analyses",
    params(("impact_analysis_id" = String, Path)),
    responses((status = 200, body = Document<Resource<AnalysisAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context, Path(id): Path<String>) -> ApiResult<One> {
    let found = service::read(&app, &ctx, &analysis_id(&id)?).await?;
    Ok(Document::of(analysis(&found)))
}

/// Lists the runs that an analysis looks at; `filter[status]=unjudgeable` those that can't be judged.
#[utoipa::path(get, path = "/impact-analyses/{impact_analysis_id}/runs", tag = "impact-analyses",
    params(("impact_analysis_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<RunAttributes>>>)))]
async fn runs(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<RunAttributes>>>> {
    let page = Page::from_query(&query)?;
    let status = result_api::word(&query, "filter[status]")?;
    let found = service::runs(&app, &ctx, &analysis_id(&id)?, status, page).await?;
    let data = found.items.iter().map(in_scope).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}
