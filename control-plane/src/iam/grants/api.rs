//! Routes of grants.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::{GrantId, RoleId};
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{GrantAttributes, GrantInput, resource, wanted};
use super::model::Subject;
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;

pub(in crate::iam) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, delete))
}

fn grant_id(text: &str) -> ApiResult<GrantId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Lists who is granted what, oldest first: what the caller may see of it.
#[utoipa::path(get, path = "/access-policies", tag = "access",
    params(("filter[subject]" = Option<String>, Query), ("filter[role]" = Option<String>, Query),
        ("filter[place]" = Option<String>, Query)),
    responses((status = 200, body = Document<Vec<Resource<GrantAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    query: Query,
) -> ApiResult<Document<Vec<Resource<GrantAttributes>>>> {
    let page = Page::from_query(&query)?;
    let subject = match query.get("filter[subject]") {
        Some(id) => Some(Subject::parse(id).ok_or_else(ApiError::not_found)?),
        None => None,
    };
    let role = match query.get("filter[role]") {
        Some(id) => Some(id.parse::<RoleId>().map_err(|_| ApiError::not_found())?),
        None => None,
    };
    let place = query.get("filter[place]");
    let found = service::list(&app, &ctx, subject, role, place, page).await?;
    let data = found.items.iter().map(resource).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Grants a role to a user, team or service account: in the whole account, or in one environment,
/// project or workspace. Nobody grants more than they have there themselves.
#[utoipa::path(post, path = "/access-policies", tag = "access", request_body = Input<GrantInput>,
    responses((status = 201, body = Document<Resource<GrantAttributes>>), (status = 403),
        (status = 409)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<GrantInput>,
) -> ApiResult<Created<Resource<GrantAttributes>>> {
    let grant = service::create(&app, &ctx, wanted(&input)?).await?;
    Ok(Created(Document::of(resource(&grant))))
}

/// Reads a grant.
#[utoipa::path(get, path = "/access-policies/{access_policy_id}", tag = "access",
    params(("access_policy_id" = String, Path)),
    responses((status = 200, body = Document<Resource<GrantAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<GrantAttributes>>> {
    let grant = service::read(&app, &ctx, &grant_id(&id)?).await?;
    Ok(Document::of(resource(&grant)))
}

/// Takes a grant away. The last administrator of an account stays one.
#[utoipa::path(delete, path = "/access-policies/{access_policy_id}", tag = "access",
    params(("access_policy_id" = String, Path)), responses((status = 204), (status = 409)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &grant_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
