//! Routes of tokens. A single token is read and deleted through a route that join tokens of runners
//! share, which is in `runners`.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::{ServiceAccountId, TeamId, UserId};
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{TokenAttributes, TokenInput, token};
use super::model::TokenOwner;
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::body::{Body, OptionalBody};
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;

pub(in crate::iam) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(of_user, create_of_user))
        .routes(routes!(of_service_account, create_of_service_account))
        .routes(routes!(of_team, create_of_team))
        .routes(routes!(
            read_single_of_team,
            replace_of_team,
            delete_single_of_team
        ))
        .routes(routes!(of_teams))
        .routes(routes!(
            read_of_environment,
            replace_of_environment,
            delete_of_environment
        ))
}

type One = Document<Resource<TokenAttributes>>;
type Many = Document<Vec<Resource<TokenAttributes>>>;
type Made = Created<Resource<TokenAttributes>>;

fn user(text: &str) -> ApiResult<TokenOwner> {
    let id: UserId = text.parse().map_err(|_| ApiError::not_found())?;
    Ok(TokenOwner::User(id))
}

fn service_account(text: &str) -> ApiResult<TokenOwner> {
    let id: ServiceAccountId = text.parse().map_err(|_| ApiError::not_found())?;
    Ok(TokenOwner::ServiceAccount(id))
}

fn team(text: &str) -> ApiResult<TokenOwner> {
    let id: TeamId = text.parse().map_err(|_| ApiError::not_found())?;
    Ok(TokenOwner::Team(id))
}

async fn environment(app: &App, ctx: &Context, name: &str) -> ApiResult<TokenOwner> {
    let id = service::environment_id(app, ctx, name).await?;
    Ok(TokenOwner::Environment(id))
}

async fn list(app: &App, ctx: &Context, owner: &TokenOwner, query: &Query) -> ApiResult<Many> {
    let page = Page::from_query(query)?;
    let found = service::list_tokens(app, ctx, owner, page).await?;
    let data = found.items.iter().map(|it| token(it, None)).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

async fn create(
    app: &App,
    ctx: &Context,
    owner: TokenOwner,
    input: TokenInput,
    replace: bool,
) -> ApiResult<Made> {
    let TokenInput {
        description,
        expired_at,
    } = input;
    let description = description.unwrap_or_default();
    let (made, text) = service::create(app, ctx, owner, description, expired_at, replace).await?;
    Ok(Created(Document::of(token(&made, Some(&text)))))
}

/// Lists a user's API tokens, without their texts.
#[utoipa::path(get, path = "/users/{user_id}/authentication-tokens", tag = "tokens",
    params(("user_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<TokenAttributes>>>)))]
async fn of_user(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Many> {
    list(&app, &ctx, &user(&id)?, &query).await
}

/// Makes an API token for oneself. Its text is in this answer and never again.
#[utoipa::path(post, path = "/users/{user_id}/authentication-tokens", tag = "tokens",
    params(("user_id" = String, Path)), request_body = Input<TokenInput>,
    responses((status = 201, body = Document<Resource<TokenAttributes>>)))]
async fn create_of_user(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<TokenInput>,
) -> ApiResult<Made> {
    create(&app, &ctx, user(&id)?, input.attributes, false).await
}

/// Lists a service account's tokens, without their texts.
#[utoipa::path(get, path = "/service-accounts/{service_account_id}/authentication-tokens", tag = "tokens",
    params(("service_account_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<TokenAttributes>>>)))]
async fn of_service_account(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Many> {
    list(&app, &ctx, &service_account(&id)?, &query).await
}

/// Makes a token of a service account; it needs all that the service account may. Its text is in this answer and never again.
#[utoipa::path(post, path = "/service-accounts/{service_account_id}/authentication-tokens", tag = "tokens",
    params(("service_account_id" = String, Path)), request_body = Input<TokenInput>,
    responses((status = 201, body = Document<Resource<TokenAttributes>>)))]
async fn create_of_service_account(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<TokenInput>,
) -> ApiResult<Made> {
    create(&app, &ctx, service_account(&id)?, input.attributes, false).await
}

/// Lists a team's tokens, without their texts.
#[utoipa::path(get, path = "/teams/{team_id}/authentication-tokens", tag = "tokens",
    params(("team_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<TokenAttributes>>>)))]
async fn of_team(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Many> {
    list(&app, &ctx, &team(&id)?, &query).await
}

/// Makes a token of a team; it needs all that the team may. Its text is in this answer and never again.
#[utoipa::path(post, path = "/teams/{team_id}/authentication-tokens", tag = "tokens",
    params(("team_id" = String, Path)), request_body = Input<TokenInput>,
    responses((status = 201, body = Document<Resource<TokenAttributes>>)))]
async fn create_of_team(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<TokenInput>,
) -> ApiResult<Made> {
    create(&app, &ctx, team(&id)?, input.attributes, false).await
}

/// Lists the tokens of an environment's teams, without their texts.
#[utoipa::path(get, path = "/organizations/{organization}/team-tokens", tag = "tokens",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<TokenAttributes>>>)))]
async fn of_teams(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
    query: Query,
) -> ApiResult<Many> {
    let page = Page::from_query(&query)?;
    let found = service::list_of_teams(&app, &ctx, &organization, page).await?;
    let data = found.items.iter().map(|it| token(it, None)).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Reads the one token of a team that has no description, without its text.
#[utoipa::path(get, path = "/teams/{team_id}/authentication-token", tag = "tokens",
    params(("team_id" = String, Path)),
    responses((status = 200, body = Document<Resource<TokenAttributes>>)))]
async fn read_single_of_team(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<One> {
    let owner = team(&id)?;
    let found = service::read_single(&app, &ctx, &owner).await?;
    Ok(Document::of(token(&found, None)))
}

/// Makes the one token of a team anew: the one before stops working. Its text is in this answer
/// and never again.
#[utoipa::path(post, path = "/teams/{team_id}/authentication-token", tag = "tokens",
    params(("team_id" = String, Path)), request_body = Input<TokenInput>,
    responses((status = 201, body = Document<Resource<TokenAttributes>>)))]
async fn replace_of_team(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    OptionalBody(input): OptionalBody<TokenInput>,
) -> ApiResult<Made> {
    let owner = team(&id)?;
    let input = TokenInput {
        description: None,
        ..input.attributes
    };
    create(&app, &ctx, owner, input, true).await
}

/// Revokes the one token of a team.
#[utoipa::path(delete, path = "/teams/{team_id}/authentication-token", tag = "tokens",
    params(("team_id" = String, Path)), responses((status = 204)))]
async fn delete_single_of_team(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    let owner = team(&id)?;
    service::delete_single(&app, &ctx, &owner).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads the one token of an environment that has no description, without its text.
#[utoipa::path(get, path = "/organizations/{organization}/authentication-token", tag = "tokens",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Resource<TokenAttributes>>)))]
async fn read_of_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<One> {
    let owner = environment(&app, &ctx, &id).await?;
    let found = service::read_single(&app, &ctx, &owner).await?;
    Ok(Document::of(token(&found, None)))
}

/// Makes the one token of an environment anew: the one before stops working. Its text is in this answer
/// and never again.
#[utoipa::path(post, path = "/organizations/{organization}/authentication-token", tag = "tokens",
    params(("organization" = String, Path)), request_body = Input<TokenInput>,
    responses((status = 201, body = Document<Resource<TokenAttributes>>)))]
async fn replace_of_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    OptionalBody(input): OptionalBody<TokenInput>,
) -> ApiResult<Made> {
    let owner = environment(&app, &ctx, &id).await?;
    let input = TokenInput {
        description: None,
        ..input.attributes
    };
    create(&app, &ctx, owner, input, true).await
}

/// Revokes the one token of an environment.
#[utoipa::path(delete, path = "/organizations/{organization}/authentication-token", tag = "tokens",
    params(("organization" = String, Path)), responses((status = 204)))]
async fn delete_of_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    let owner = environment(&app, &ctx, &id).await?;
    service::delete_single(&app, &ctx, &owner).await?;
    Ok(StatusCode::NO_CONTENT)
}
