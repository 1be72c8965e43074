//! Routes of users, and all others of the slice but those of signing in.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::UserId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{UserAttributes, user};
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Document, Resource};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(read_self))
        .routes(routes!(read_user))
        .merge(super::tokens::api::routes())
        .merge(super::service_accounts::api::routes())
        .merge(super::rules::api::routes())
        .merge(super::teams::api::routes())
        .merge(super::memberships::api::routes())
        .merge(super::identity::api::routes())
        .merge(super::scim::token_routes())
        .merge(super::second_factor::api::routes())
        .merge(super::links::api::routes())
        .merge(super::sessions::api::routes())
        .merge(super::roles::api::routes())
        .merge(super::grants::api::routes())
        .merge(super::explain::api::routes())
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
