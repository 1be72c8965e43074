//! Routes of teams and their members.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::TeamId;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{TeamAttributes, TeamInput, UserEntry, resource};
use super::model::{Team, TeamChange};
use super::service::{self, MemberChange, Members};
use super::store::Filter;
use crate::app::App;
use crate::context::Context;
use crate::http::body::{Body, ListBody};
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Document, Input, InputData, Inputs, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;
use crate::iam::attributes::user;

pub(in crate::iam) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
        .routes(routes!(add_members, remove_members))
}

type One = Document<Resource<TeamAttributes>>;

fn team_id(text: &str) -> ApiResult<TeamId> {
    text.parse().map_err(|_| ApiError::not_found())
}

fn with_members(ctx: &Context, team: &Team, members: &Members) -> Resource<TeamAttributes> {
    resource(ctx, team, members.get(&team.id).map_or(&[], Vec::as_slice))
}

async fn included(
    app: &App,
    ctx: &Context,
    members: &Members,
    query: &Query,
) -> ApiResult<Vec<serde_json::Value>> {
    if !query.includes("users") {
        return Ok(Vec::new());
    }
    let people = service::people_of(app, ctx, members).await?;
    Ok(people
        .iter()
        .map(|member| user(ctx, member).into_value())
        .collect())
}

/// Lists an environment's teams, by name.
#[utoipa::path(get, path = "/organizations/{organization}/teams", tag = "teams",
    params(("organization" = String, Path), ("q" = Option<String>, Query),
        ("filter[names]" = Option<String>, Query), ("include" = Option<String>, Query)),
    responses((status = 200, body = Document<Vec<Resource<TeamAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<TeamAttributes>>>> {
    let page = Page::from_query(&query)?;
    let names = query.words("filter[names]").into_iter().take(100);
    let filter = Filter {
        search: query.get("q").map(str::to_owned),
        names: names.map(str::to_owned).collect(),
    };
    let (found, members) = service::list(&app, &ctx, &organization, &filter, page).await?;
    let data = found
        .items
        .iter()
        .map(|team| with_members(&ctx, team, &members))
        .collect();
    let included = included(&app, &ctx, &members, &query).await?;
    Ok(Document::page(data, Pagination::new(page, found.total)).including(included))
}

/// Creates a team. Answers 200, as its clients expect.
#[utoipa::path(post, path = "/organizations/{organization}/teams", tag = "teams",
    params(("organization" = String, Path)), request_body = Input<TeamInput>,
    responses((status = 200, body = Document<Resource<TeamAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
    Body(input): Body<TeamInput>,
) -> ApiResult<One> {
    let name = input.attributes.name.unwrap_or_default();
    let description = input.attributes.description.flatten().unwrap_or_default();
    let team = service::create(&app, &ctx, &organization, name, description).await?;
    Ok(Document::of(resource(&ctx, &team, &[])))
}

/// Reads a team.
#[utoipa::path(get, path = "/teams/{team_id}", tag = "teams",
    params(("team_id" = String, Path), ("include" = Option<String>, Query)),
    responses((status = 200, body = Document<Resource<TeamAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<One> {
    let (team, members) = service::read(&app, &ctx, &team_id(&id)?).await?;
    let included = included(&app, &ctx, &members, &query).await?;
    Ok(Document::of(with_members(&ctx, &team, &members)).including(included))
}

/// Changes a team's name or description.
#[utoipa::path(patch, path = "/teams/{team_id}", tag = "teams",
    params(("team_id" = String, Path)), request_body = Input<TeamInput>,
    responses((status = 200, body = Document<Resource<TeamAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<TeamInput>,
) -> ApiResult<One> {
    let change = TeamChange {
        name: input.attributes.name,
        description: input.attributes.description.map(Option::unwrap_or_default),
    };
    let (team, members) = service::update(&app, &ctx, &team_id(&id)?, change).await?;
    Ok(Document::of(with_members(&ctx, &team, &members)))
}

/// Deletes a team that no approval rule names.
#[utoipa::path(delete, path = "/teams/{team_id}", tag = "teams",
    params(("team_id" = String, Path)), responses((status = 204), (status = 409)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &team_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn change_members(
    app: &App,
    ctx: &Context,
    id: &str,
    change: MemberChange,
    list: &[InputData<UserEntry>],
) -> ApiResult<StatusCode> {
    let names: Vec<_> = list.iter().map(InputData::id).collect();
    service::change_members(app, ctx, &team_id(id)?, change, &names).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts users into a team. Their ids are their names.
#[utoipa::path(post, path = "/teams/{team_id}/relationships/users", tag = "teams",
    params(("team_id" = String, Path)), request_body = Inputs<UserEntry>,
    responses((status = 204)))]
async fn add_members(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    ListBody(list): ListBody<UserEntry>,
) -> ApiResult<StatusCode> {
    change_members(&app, &ctx, &id, MemberChange::Add, &list).await
}

/// Takes users out of a team. Their ids are their names.
#[utoipa::path(delete, path = "/teams/{team_id}/relationships/users", tag = "teams",
    params(("team_id" = String, Path)), request_body = Inputs<UserEntry>,
    responses((status = 204)))]
async fn remove_members(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    ListBody(list): ListBody<UserEntry>,
) -> ApiResult<StatusCode> {
    change_members(&app, &ctx, &id, MemberChange::Remove, &list).await
}
