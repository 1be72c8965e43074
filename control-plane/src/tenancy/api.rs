//! Routes of environments (organizations on the wire) and projects.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::ProjectId;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{
    Entitlements, EnvironmentAttributes, EnvironmentInput, ProjectAttributes, ProjectInput,
    environment, project,
};
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
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
        .routes(routes!(entitlements))
        .routes(routes!(list_projects, create_project))
        .routes(routes!(read_project, update_project, delete_project))
}

type One = Document<Resource<EnvironmentAttributes>>;
type OneProject = Document<Resource<ProjectAttributes>>;

/// Lists the environments of the account.
#[utoipa::path(get, path = "/organizations", tag = "organizations",
    responses((status = 200, body = Document<Vec<Resource<EnvironmentAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    query: Query,
) -> ApiResult<Document<Vec<Resource<EnvironmentAttributes>>>> {
    let page = Page::from_query(&query)?;
    let search = query.get("q").or_else(|| query.get("q[name]"));
    let found = service::list_environments(&app, &ctx, search, page).await?;
    let data = found.items.iter().map(|it| environment(&ctx, it)).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Creates an environment with its default project.
#[utoipa::path(post, path = "/organizations", tag = "organizations",
    request_body = Input<EnvironmentInput>,
    responses((status = 201, body = Document<Resource<EnvironmentAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<EnvironmentInput>,
) -> ApiResult<Created<Resource<EnvironmentAttributes>>> {
    let name = input.attributes.name.unwrap_or_default();
    let email = input.attributes.email.unwrap_or_default();
    let made = service::create_environment(&app, &ctx, &name, &email).await?;
    Ok(Created(Document::of(environment(&ctx, &made))))
}

/// Reads an environment.
#[utoipa::path(get, path = "/organizations/{organization}", tag = "organizations",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Resource<EnvironmentAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(name): Path<String>,
) -> ApiResult<One> {
    let found = service::read_environment(&app, &ctx, &name).await?;
    Ok(Document::of(environment(&ctx, &found)))
}

/// Changes an environment.
#[utoipa::path(patch, path = "/organizations/{organization}", tag = "organizations",
    params(("organization" = String, Path)), request_body = Input<EnvironmentInput>,
    responses((status = 200, body = Document<Resource<EnvironmentAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(name): Path<String>,
    Body(input): Body<EnvironmentInput>,
) -> ApiResult<One> {
    let EnvironmentInput {
        name: new_name,
        email,
        max_concurrent_runs,
    } = input.attributes;
    let change = service::EnvironmentChange {
        name: new_name,
        email,
        max_concurrent_runs,
    };
    let changed = service::update_environment(&app, &ctx, &name, change).await?;
    Ok(Document::of(environment(&ctx, &changed)))
}

/// Deletes an environment that has no workspaces.
#[utoipa::path(delete, path = "/organizations/{organization}", tag = "organizations",
    params(("organization" = String, Path)), responses((status = 204), (status = 409)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(name): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete_environment(&app, &ctx, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says which parts of the product there are.
#[utoipa::path(get, path = "/organizations/{organization}/entitlement-set", tag = "organizations",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Resource<Entitlements>>)))]
async fn entitlements(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(name): Path<String>,
) -> ApiResult<Document<Resource<Entitlements>>> {
    let found = service::read_environment(&app, &ctx, &name).await?;
    Ok(Document::of(Resource::new(
        "entitlement-sets",
        found.id,
        Entitlements::current(),
    )))
}

/// Lists the projects of an environment.
#[utoipa::path(get, path = "/organizations/{organization}/projects", tag = "projects",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<ProjectAttributes>>>)))]
async fn list_projects(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(name): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<ProjectAttributes>>>> {
    let page = Page::from_query(&query)?;
    let names = query.words("filter[names]");
    let (within, found) = service::list_projects(&app, &ctx, &name, &names, page).await?;
    let data = found
        .items
        .iter()
        .map(|it| project(&ctx, &within, it))
        .collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Creates a project.
#[utoipa::path(post, path = "/organizations/{organization}/projects", tag = "projects",
    params(("organization" = String, Path)), request_body = Input<ProjectInput>,
    responses((status = 201, body = Document<Resource<ProjectAttributes>>)))]
async fn create_project(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
    Body(input): Body<ProjectInput>,
) -> ApiResult<Created<Resource<ProjectAttributes>>> {
    let name = input.attributes.name.unwrap_or_default();
    let description = input.attributes.description.unwrap_or_default();
    let (within, made) =
        service::create_project(&app, &ctx, &organization, &name, &description).await?;
    Ok(Created(Document::of(project(&ctx, &within, &made))))
}

fn project_id(text: &str) -> ApiResult<ProjectId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Reads a project.
#[utoipa::path(get, path = "/projects/{project_id}", tag = "projects",
    params(("project_id" = String, Path)),
    responses((status = 200, body = Document<Resource<ProjectAttributes>>)))]
async fn read_project(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<OneProject> {
    let (within, found) = service::read_project(&app, &ctx, &project_id(&id)?).await?;
    Ok(Document::of(project(&ctx, &within, &found)))
}

/// Changes a project.
#[utoipa::path(patch, path = "/projects/{project_id}", tag = "projects",
    params(("project_id" = String, Path)), request_body = Input<ProjectInput>,
    responses((status = 200, body = Document<Resource<ProjectAttributes>>)))]
async fn update_project(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<ProjectInput>,
) -> ApiResult<OneProject> {
    let ProjectInput { name, description } = input.attributes;
    let (within, changed) =
        service::update_project(&app, &ctx, &project_id(&id)?, name, description).await?;
    Ok(Document::of(project(&ctx, &within, &changed)))
}

/// Deletes a project that has no workspaces.
#[utoipa::path(delete, path = "/projects/{project_id}", tag = "projects",
    params(("project_id" = String, Path)), responses((status = 204), (status = 409)))]
async fn delete_project(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete_project(&app, &ctx, &project_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
