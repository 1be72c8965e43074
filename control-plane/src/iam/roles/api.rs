//! Routes of roles, and of the catalogue that they are made of.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::RoleId;
use domain::permission::Permission;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{PermissionAttributes, RoleAttributes, RoleInput, permission, role};
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};

pub(in crate::iam) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(permissions))
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
}

type One = Document<Resource<RoleAttributes>>;

fn role_id(text: &str) -> ApiResult<RoleId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Lists everything that can be allowed, with what it allows and where it can be granted.
#[utoipa::path(get, path = "/permissions", tag = "access",
    responses((status = 200, body = Document<Vec<Resource<PermissionAttributes>>>)))]
async fn permissions(_ctx: Context) -> Document<Vec<Resource<PermissionAttributes>>> {
    Document::of(Permission::ALL.iter().copied().map(permission).collect())
}

/// Lists the roles: the system's, then the account's own by name.
#[utoipa::path(get, path = "/roles", tag = "access",
    responses((status = 200, body = Document<Vec<Resource<RoleAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
) -> ApiResult<Document<Vec<Resource<RoleAttributes>>>> {
    let roles = service::list(&app, &ctx).await?;
    Ok(Document::of(roles.iter().map(role).collect()))
}

/// Makes a role. Nobody puts into it what they don't have in the whole account themselves.
#[utoipa::path(post, path = "/roles", tag = "access", request_body = Input<RoleInput>,
    responses((status = 201, body = Document<Resource<RoleAttributes>>), (status = 403)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<RoleInput>,
) -> ApiResult<Created<Resource<RoleAttributes>>> {
    let made = service::create(&app, &ctx, input.attributes.into()).await?;
    Ok(Created(Document::of(role(&made))))
}

/// Reads a role.
#[utoipa::path(get, path = "/roles/{role_id}", tag = "access", params(("role_id" = String, Path)),
    responses((status = 200, body = Document<Resource<RoleAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context, Path(id): Path<String>) -> ApiResult<One> {
    let found = service::read(&app, &ctx, &role_id(&id)?).await?;
    Ok(Document::of(role(&found)))
}

/// Changes a role for everybody who has it, from their next request on.
#[utoipa::path(patch, path = "/roles/{role_id}", tag = "access",
    params(("role_id" = String, Path)), request_body = Input<RoleInput>,
    responses((status = 200, body = Document<Resource<RoleAttributes>>), (status = 403),
        (status = 409)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<RoleInput>,
) -> ApiResult<One> {
    let changed = service::update(&app, &ctx, &role_id(&id)?, input.attributes.into()).await?;
    Ok(Document::of(role(&changed)))
}

/// Deletes a role that nobody is granted.
#[utoipa::path(delete, path = "/roles/{role_id}", tag = "access",
    params(("role_id" = String, Path)), responses((status = 204), (status = 409)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &role_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
