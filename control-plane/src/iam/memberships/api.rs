//! Routes of memberships.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::{MembershipId, UserId};
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{MembershipAttributes, MembershipInput, new_member, resource};
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;
use crate::iam::attributes::user;
use crate::iam::service::read_user;

pub(in crate::iam) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, delete))
}

/// A membership has the id of its user, under its own prefix.
fn user_id(text: &str) -> ApiResult<UserId> {
    let id: MembershipId = text.parse().map_err(|_| ApiError::not_found())?;
    Ok(UserId::beside(id.body()))
}

/// Lists the members of the account.
#[utoipa::path(get, path = "/organizations/{organization}/organization-memberships", tag = "users",
    params(("organization" = String, Path), ("q" = Option<String>, Query),
        ("include" = Option<String>, Query)),
    responses((status = 200, body = Document<Vec<Resource<MembershipAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<MembershipAttributes>>>> {
    let page = Page::from_query(&query)?;
    let search = query.get("q").or_else(|| query.get("filter[email]"));
    let (found, members) = service::list(&app, &ctx, &organization, search, page).await?;
    let data = members
        .items
        .iter()
        .map(|member| resource(&ctx, member, Some(&found.name), None))
        .collect();
    let mut included = Vec::new();
    if query.includes("user") {
        included.extend(members.items.iter().map(|it| user(&ctx, it).into_value()));
    }
    Ok(Document::page(data, Pagination::new(page, members.total)).including(included))
}

/// Makes a user of the account. Without a `password` one is made up; it is in this answer and never
/// again.
#[utoipa::path(post, path = "/organizations/{organization}/organization-memberships", tag = "users",
    params(("organization" = String, Path)), request_body = Input<MembershipInput>,
    responses((status = 201, body = Document<Resource<MembershipAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
    Body(input): Body<MembershipInput>,
) -> ApiResult<Created<Resource<MembershipAttributes>>> {
    let new = new_member(input)?;
    let (found, member, password) = service::create(&app, &ctx, &organization, new).await?;
    let made = resource(&ctx, &member, Some(&found.name), password.as_ref());
    Ok(Created(Document::of(made)))
}

/// Reads a membership.
#[utoipa::path(get, path = "/organization-memberships/{organization_membership_id}", tag = "users",
    params(("organization_membership_id" = String, Path), ("include" = Option<String>, Query)),
    responses((status = 200, body = Document<Resource<MembershipAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Document<Resource<MembershipAttributes>>> {
    let member = read_user(&app, &ctx, &user_id(&id)?).await?;
    let mut included = Vec::new();
    if query.includes("user") {
        included.push(user(&ctx, &member).into_value());
    }
    Ok(Document::of(resource(&ctx, &member, None, None)).including(included))
}

/// Removes somebody from the account: their tokens stop working, and they leave its teams.
#[utoipa::path(delete, path = "/organization-memberships/{organization_membership_id}",
    tag = "users", params(("organization_membership_id" = String, Path)),
    responses((status = 204), (status = 409)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &user_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
