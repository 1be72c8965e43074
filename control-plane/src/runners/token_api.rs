//! Routes of join tokens, and of `authentication-tokens/ID`, which names a user's token or a join
//! token: on the wire both are of one type.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::ids::TokenId;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::pool_id;
use super::attributes::{JoinTokenAttributes, JoinTokenInput, join_token};
use super::model::NewJoinToken;
use super::token_service as service;
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;
use crate::iam::{self, IamError};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, delete))
}

fn token_id(text: &str) -> ApiResult<TokenId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Lists the join tokens of a pool, without their texts.
#[utoipa::path(get, path = "/agent-pools/{agent_pool_id}/authentication-tokens", tag = "tokens",
    params(("agent_pool_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<JoinTokenAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<JoinTokenAttributes>>>> {
    let page = Page::from_query(&query)?;
    let found = service::list(&app, &ctx, &pool_id(&id)?, page).await?;
    let data = found.items.iter().map(|it| join_token(it, None)).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Makes a join token of a pool. Its text is in this answer and never again.
#[utoipa::path(post, path = "/agent-pools/{agent_pool_id}/authentication-tokens", tag = "tokens",
    params(("agent_pool_id" = String, Path)), request_body = Input<JoinTokenInput>,
    responses((status = 201, body = Document<Resource<JoinTokenAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<JoinTokenInput>,
) -> ApiResult<Created<Resource<JoinTokenAttributes>>> {
    let new = NewJoinToken {
        description: input.attributes.description.unwrap_or_default(),
        expires_at: input.attributes.expired_at,
        single_use: input.attributes.single_use.unwrap_or(false),
    };
    let (made, text) = service::create(&app, &ctx, &pool_id(&id)?, new).await?;
    Ok(Created(Document::of(join_token(&made, Some(&text)))))
}

/// Reads an API token or a join token, without its text.
#[utoipa::path(get, path = "/authentication-tokens/{token_id}", tag = "tokens",
    params(("token_id" = String, Path)),
    responses((status = 200, body = Document<Resource<iam::TokenAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let id = token_id(&id)?;
    match iam::read_token(&app, &ctx, &id).await {
        Ok(found) => Ok(Document::of(iam::token_resource(&found, None)).into_response()),
        Err(IamError::NotFound) => {
            let found = service::read(&app, &ctx, &id).await?;
            Ok(Document::of(join_token(&found, None)).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// Deletes an API token, or revokes a join token.
#[utoipa::path(delete, path = "/authentication-tokens/{token_id}", tag = "tokens",
    params(("token_id" = String, Path)), responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    let id = token_id(&id)?;
    match iam::delete_token(&app, &ctx, &id).await {
        Err(IamError::NotFound) => service::revoke(&app, &ctx, &id).await?,
        deleted => deleted?,
    }
    Ok(StatusCode::NO_CONTENT)
}
