//! Routes of access as it is: on the account, an environment, a project and a workspace.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::permission::Permission;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{EntryAttributes, entry};
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Document, Resource};
use crate::http::query::Query;
use crate::iam::Subject;
use crate::problem::Kind;

pub(in crate::iam) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(of_account))
        .routes(routes!(of_environment))
        .routes(routes!(of_project))
        .routes(routes!(of_workspace))
}

type Entries = Document<Vec<Resource<EntryAttributes>>>;

/// `filter[permission]` asks about one permission, `filter[subject]` about one subject.
async fn entries(app: &App, ctx: &Context, id: Option<&str>, query: &Query) -> ApiResult<Entries> {
    let asked = match query.get("filter[permission]") {
        Some(text) => Some(text.parse::<Permission>().map_err(|_| {
            ApiError::new(
                Kind::Malformed,
                "request.bad-parameter",
                format!("filter[permission]: {text:?} is no permission; see `GET permissions`"),
            )
        })?),
        None => None,
    };
    let found = match query.get("filter[subject]") {
        Some(subject) => {
            let subject = Subject::parse(subject).ok_or_else(ApiError::not_found)?;
            vec![service::holder(app, ctx, id, &subject).await?]
        }
        None => service::holders(app, ctx, id, asked).await?,
    };
    Ok(Document::of(
        found.iter().map(|it| entry(it, asked)).collect(),
    ))
}

/// Says who may do what on the account, and by which grants.
#[utoipa::path(get, path = "/account/access", tag = "access",
    params(("filter[permission]" = Option<String>, Query),
        ("filter[subject]" = Option<String>, Query)),
    responses((status = 200, body = Document<Vec<Resource<EntryAttributes>>>)))]
async fn of_account(State(app): State<Arc<App>>, ctx: Context, query: Query) -> ApiResult<Entries> {
    entries(&app, &ctx, None, &query).await
}

/// Says who may do what on a workspace, and by which grants.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/access", tag = "access",
    params(("workspace_id" = String, Path), ("filter[permission]" = Option<String>, Query),
        ("filter[subject]" = Option<String>, Query)),
    responses((status = 200, body = Document<Vec<Resource<EntryAttributes>>>)))]
async fn of_workspace(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Entries> {
    entries(&app, &ctx, Some(&id), &query).await
}

/// Says who may do what on a project, and by which grants.
#[utoipa::path(get, path = "/projects/{project_id}/access", tag = "access",
    params(("project_id" = String, Path), ("filter[permission]" = Option<String>, Query),
        ("filter[subject]" = Option<String>, Query)),
    responses((status = 200, body = Document<Vec<Resource<EntryAttributes>>>)))]
async fn of_project(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Entries> {
    entries(&app, &ctx, Some(&id), &query).await
}

/// Says who may do what on an environment, and by which grants.
#[utoipa::path(get, path = "/organizations/{organization}/access", tag = "access",
    params(("organization" = String, Path), ("filter[permission]" = Option<String>, Query),
        ("filter[subject]" = Option<String>, Query)),
    responses((status = 200, body = Document<Vec<Resource<EntryAttributes>>>)))]
async fn of_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Entries> {
    entries(&app, &ctx, Some(&id), &query).await
}
