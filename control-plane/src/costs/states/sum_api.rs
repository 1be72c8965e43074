//! Routes of sums over workspaces.

use std::sync::Arc;

use axum::extract::{Path, State};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::{bad_parameter, date};
use super::days::{self, Days};
use super::groups::Grouping;
use super::model::{day_of, start_of};
use super::place::Place;
use super::sum_attributes::{CostSumAttributes, CostSummaryAttributes, day, summary};
use crate::app::App;
use crate::context::Context;
use crate::http::error::ApiResult;
use crate::http::jsonapi::{Document, Resource};
use crate::http::query::Query;

/// Days of an answer unless it is told from when.
const USUAL_DAYS: i64 = 30;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(of_environment))
        .routes(routes!(of_account))
        .routes(routes!(history_of_environment))
        .routes(routes!(history_of_account))
}

type Sum = Document<Resource<CostSummaryAttributes>>;
type Many = Document<Vec<Resource<CostSumAttributes>>>;

fn grouping(query: &Query) -> ApiResult<Grouping> {
    let tag = || {
        let key = query.get("tag").map(str::to_owned);
        key.ok_or_else(|| bad_parameter("tag", "the key of a tag"))
    };
    Ok(match query.get("group-by") {
        None => Grouping::Nothing,
        Some("workspace") => Grouping::Workspace,
        Some("environment") => Grouping::Environment,
        Some("module") => Grouping::Module,
        Some("tag") => Grouping::Tag(tag()?),
        Some("workspace-tag") => Grouping::WorkspaceTag(tag()?),
        Some(_) => {
            let known = "workspace, environment, module, tag or workspace-tag";
            return Err(bad_parameter("group-by", known));
        }
    })
}

/// The days that are wanted; until today unless it is told.
fn wanted(ctx: &Context, query: &Query) -> ApiResult<Days> {
    let until = date(query, "filter[until]")?.map_or_else(|| ctx.now(), start_of);
    let last = day_of(until);
    let first = match date(query, "filter[since]")? {
        Some(date) => day_of(start_of(date)),
        None => last - USUAL_DAYS + 1,
    };
    if first > last || last - first >= days::MOST {
        let wanted = format!("a day in the {} days to `filter[until]`", days::MOST);
        return Err(bad_parameter("filter[since]", &wanted));
    }
    Ok(Days { first, last })
}

async fn sum(app: &App, ctx: &Context, place: Place, query: &Query) -> ApiResult<Sum> {
    let grouping = grouping(query)?;
    let found = Box::pin(super::summary::summary(app, ctx, &place, &grouping)).await?;
    Ok(Document::of(summary(&found)))
}

async fn history(app: &App, ctx: &Context, place: Place, query: &Query) -> ApiResult<Many> {
    let wanted = wanted(ctx, query)?;
    let found = Box::pin(days::history(app, ctx, &place, wanted)).await?;
    Ok(Document::of(found.iter().map(day).collect()))
}

/// What the current states of an environment cost, summed up; with `group-by` (`workspace`,
/// `environment`, `module`, `tag` or `workspace-tag`, the last two with the key in `tag`) also by
/// group.
#[utoipa::path(get, path = "/organizations/{organization}/cost", tag = "costs",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Resource<CostSummaryAttributes>>)))]
async fn of_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(name): Path<String>,
    query: Query,
) -> ApiResult<Sum> {
    sum(&app, &ctx, Place::Environment(name), &query).await
}

/// What the current states of the account cost, as for an environment.
#[utoipa::path(get, path = "/account/cost", tag = "costs",
    responses((status = 200, body = Document<Resource<CostSummaryAttributes>>)))]
async fn of_account(State(app): State<Arc<App>>, ctx: Context, query: Query) -> ApiResult<Sum> {
    sum(&app, &ctx, Place::Account, &query).await
}

/// What the states of an environment cost at the end of each day (UTC) from `filter[since]` to
/// `filter[until]`, at most 366; the last 30 unless it is told.
#[utoipa::path(get, path = "/organizations/{organization}/cost-history", tag = "costs",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<CostSumAttributes>>>)))]
async fn history_of_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(name): Path<String>,
    query: Query,
) -> ApiResult<Many> {
    history(&app, &ctx, Place::Environment(name), &query).await
}

/// What the states of the account cost at the end of each day, as for an environment.
#[utoipa::path(get, path = "/account/cost-history", tag = "costs",
    responses((status = 200, body = Document<Vec<Resource<CostSumAttributes>>>)))]
async fn history_of_account(
    State(app): State<Arc<App>>,
    ctx: Context,
    query: Query,
) -> ApiResult<Many> {
    history(&app, &ctx, Place::Account, &query).await
}
