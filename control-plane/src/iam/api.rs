//! Routes of users and their tokens. A single token is read and deleted through a route that join
//! tokens of runners share, which is in `runners`.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::UserId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{TokenAttributes, TokenInput, UserAttributes, token, user};
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(read_self))
        .routes(routes!(read_user))
        .routes(routes!(list_tokens, create_token))
        .merge(super::teams::api::routes())
        .merge(super::memberships::api::routes())
        .merge(super::identity::api::routes())
        .merge(super::scim::token_routes())
        .merge(super::second_factor::api::routes())
        .merge(super::links::api::routes())
        .merge(super::sessions::api::routes())
}

type OneUser = Document<Resource<UserAttributes>>;

fn user_id(text: &str) -> ApiResult<UserId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Says whose token this is.
#[utoipa::path(get, path = "/account/details", tag = "users",
    responses((status = 200, body = Document<Resource<UserAttributes>>)))]
async fn read_self(State(app): State<Arc<App>>, ctx: Context) -> ApiResult<OneUser> {
    let member = service::read_self(&app, &ctx).await?;
    Ok(Document::of(user(&ctx, &member)))
}

/// Reads a user of the account.
#[utoipa::path(get, path = "/users/{user_id}", tag = "users",
    params(("user_id" = String, Path)),
    responses((status = 200, body = Document<Resource<UserAttributes>>)))]
async fn read_user(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<OneUser> {
    let member = service::read_user(&app, &ctx, &user_id(&id)?).await?;
    Ok(Document::of(user(&ctx, &member)))
}

/// Lists a user's API tokens, without their texts.
#[utoipa::path(get, path = "/users/{user_id}/authentication-tokens", tag = "tokens",
    params(("user_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<TokenAttributes>>>)))]
async fn list_tokens(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<TokenAttributes>>>> {
    let page = Page::from_query(&query)?;
    let found = service::list_tokens(&app, &ctx, &user_id(&id)?, page).await?;
    let data = found.items.iter().map(|it| token(it, None)).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Makes an API token for oneself. Its text is in this answer and never again.
#[utoipa::path(post, path = "/users/{user_id}/authentication-tokens", tag = "tokens",
    params(("user_id" = String, Path)), request_body = Input<TokenInput>,
    responses((status = 201, body = Document<Resource<TokenAttributes>>)))]
async fn create_token(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<TokenInput>,
) -> ApiResult<Created<Resource<TokenAttributes>>> {
    let TokenInput {
        description,
        expired_at,
    } = input.attributes;
    let description = description.unwrap_or_default();
    let (made, text) =
        service::create_token(&app, &ctx, &user_id(&id)?, description, expired_at).await?;
    Ok(Created(Document::of(token(&made, Some(&text)))))
}
