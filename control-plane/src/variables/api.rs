//! Routes of variables: below their owner, and in the older form that names the workspace in the query.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::VariableId;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{
    EffectiveAttributes, VariableAttributes, VariableInput, effective, resource,
};
use super::error::VariableError;
use super::model::Variable;
use super::service::{self, Place};
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;
use crate::problem::Kind;
use crate::workspaces::WorkspaceKey;
use crate::workspaces::api::workspace_id;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
        .routes(routes!(list_by_name, create_by_relation))
        .routes(routes!(read_by_id, update_by_id, delete_by_id))
        .routes(routes!(list_of_environment, create_in_environment))
        .routes(routes!(list_of_account, create_in_account))
        .routes(routes!(list_effective))
}

type One = Document<Resource<VariableAttributes>>;
type Many = Document<Vec<Resource<VariableAttributes>>>;

fn variable_id(text: &str) -> ApiResult<VariableId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// All in one page: clients read no second one.
fn all(variables: &[Variable]) -> Many {
    let total = i64::try_from(variables.len()).unwrap_or(i64::MAX);
    let page = Page {
        number: 1,
        size: total.max(20),
    };
    Document::page(
        variables.iter().map(resource).collect(),
        Pagination::new(page, total),
    )
}

/// Lists a workspace's variables, in one page. Sensitive ones have no value.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/vars", tag = "variables",
    params(("workspace_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<VariableAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(workspace): Path<String>,
) -> ApiResult<Many> {
    let key = WorkspaceKey::Id(workspace_id(&workspace)?);
    let (_, variables) = service::list(&app, &ctx, &key).await?;
    Ok(all(&variables))
}

/// Creates a variable.
#[utoipa::path(post, path = "/workspaces/{workspace_id}/vars", tag = "variables",
    params(("workspace_id" = String, Path)), request_body = Input<VariableInput>,
    responses((status = 201, body = Document<Resource<VariableAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(workspace): Path<String>,
    Body(input): Body<VariableInput>,
) -> ApiResult<Created<Resource<VariableAttributes>>> {
    let new = input.attributes.into_new()?;
    let workspace = workspace_id(&workspace)?;
    let made = service::create(&app, &ctx, &Place::Workspace(&workspace), new).await?;
    Ok(Created(Document::of(resource(&made))))
}

/// Reads a variable.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/vars/{variable_id}", tag = "variables",
    params(("workspace_id" = String, Path), ("variable_id" = String, Path)),
    responses((status = 200, body = Document<Resource<VariableAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path((workspace, id)): Path<(String, String)>,
) -> ApiResult<One> {
    let workspace = workspace_id(&workspace)?;
    let found = service::read(&app, &ctx, Some(&workspace), &variable_id(&id)?).await?;
    Ok(Document::of(resource(&found)))
}

/// Changes a variable.
#[utoipa::path(patch, path = "/workspaces/{workspace_id}/vars/{variable_id}", tag = "variables",
    params(("workspace_id" = String, Path), ("variable_id" = String, Path)),
    request_body = Input<VariableInput>,
    responses((status = 200, body = Document<Resource<VariableAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path((workspace, id)): Path<(String, String)>,
    Body(input): Body<VariableInput>,
) -> ApiResult<One> {
    let workspace = workspace_id(&workspace)?;
    let change = input.attributes.into_change()?;
    let changed = service::update(&app, &ctx, Some(&workspace), &variable_id(&id)?, change).await?;
    Ok(Document::of(resource(&changed)))
}

/// Deletes a variable.
#[utoipa::path(delete, path = "/workspaces/{workspace_id}/vars/{variable_id}", tag = "variables",
    params(("workspace_id" = String, Path), ("variable_id" = String, Path)),
    responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path((workspace, id)): Path<(String, String)>,
) -> ApiResult<StatusCode> {
    let workspace = workspace_id(&workspace)?;
    service::delete(&app, &ctx, Some(&workspace), &variable_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

// ── the older form ─────────────────────────────────────────────────────────────────────────────

/// Lists a workspace's variables, the workspace named in the query.
#[utoipa::path(get, path = "/vars", tag = "variables",
    params(("filter[organization][name]" = String, Query),
        ("filter[workspace][name]" = String, Query)),
    responses((status = 200, body = Document<Vec<Resource<VariableAttributes>>>)))]
async fn list_by_name(State(app): State<Arc<App>>, ctx: Context, query: Query) -> ApiResult<Many> {
    let required = |key: &'static str| {
        query.get(key).map(str::to_owned).ok_or_else(|| {
            ApiError::new(
                Kind::Malformed,
                "request.bad-parameter",
                format!("`{key}` must be given"),
            )
        })
    };
    let key = WorkspaceKey::Name {
        environment: required("filter[organization][name]")?,
        name: required("filter[workspace][name]")?,
    };
    let (_, variables) = service::list(&app, &ctx, &key).await?;
    Ok(all(&variables))
}

/// Creates a variable, the workspace named by a relationship.
#[utoipa::path(post, path = "/vars", tag = "variables", request_body = Input<VariableInput>,
    responses((status = 201, body = Document<Resource<VariableAttributes>>)))]
async fn create_by_relation(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<VariableInput>,
) -> ApiResult<Created<Resource<VariableAttributes>>> {
    let workspace = input
        .related_id("workspace")
        .or_else(|| input.related_id("configurable"))
        .map(workspace_id)
        .transpose()?;
    let environment = input.related_id("environment").map(str::to_owned);
    let place = match (&workspace, &environment) {
        (Some(workspace), None) => Place::Workspace(workspace),
        (None, Some(environment)) => Place::Environment(environment),
        (Some(_), Some(_)) | (None, None) => {
            return Err(VariableError::Invalid {
                pointer: "/data/relationships/workspace".to_owned(),
                detail: "name the workspace, or the environment, but not both".to_owned(),
            }
            .into());
        }
    };
    let new = input.attributes.into_new()?;
    let made = service::create(&app, &ctx, &place, new).await?;
    Ok(Created(Document::of(resource(&made))))
}

/// Reads a variable, by its id alone.
#[utoipa::path(get, path = "/vars/{variable_id}", tag = "variables",
    params(("variable_id" = String, Path)),
    responses((status = 200, body = Document<Resource<VariableAttributes>>)))]
async fn read_by_id(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<One> {
    let found = service::read(&app, &ctx, None, &variable_id(&id)?).await?;
    Ok(Document::of(resource(&found)))
}

/// Changes a variable, by its id alone.
#[utoipa::path(patch, path = "/vars/{variable_id}", tag = "variables",
    params(("variable_id" = String, Path)), request_body = Input<VariableInput>,
    responses((status = 200, body = Document<Resource<VariableAttributes>>)))]
async fn update_by_id(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<VariableInput>,
) -> ApiResult<One> {
    let change = input.attributes.into_change()?;
    let changed = service::update(&app, &ctx, None, &variable_id(&id)?, change).await?;
    Ok(Document::of(resource(&changed)))
}

/// Deletes a variable, by its id alone.
#[utoipa::path(delete, path = "/vars/{variable_id}", tag = "variables",
    params(("variable_id" = String, Path)), responses((status = 204)))]
async fn delete_by_id(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, None, &variable_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

// ── above workspaces ───────────────────────────────────────────────────────────────────────────

/// Lists an environment's variables, which its workspaces inherit, in one page.
#[utoipa::path(get, path = "/organizations/{organization}/vars", tag = "variables",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<VariableAttributes>>>)))]
async fn list_of_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(environment): Path<String>,
) -> ApiResult<Many> {
    let place = Place::Environment(&environment);
    Ok(all(&service::list_above(&app, &ctx, &place).await?))
}

/// Creates a variable of an environment.
#[utoipa::path(post, path = "/organizations/{organization}/vars", tag = "variables",
    params(("organization" = String, Path)), request_body = Input<VariableInput>,
    responses((status = 201, body = Document<Resource<VariableAttributes>>)))]
async fn create_in_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(environment): Path<String>,
    Body(input): Body<VariableInput>,
) -> ApiResult<Created<Resource<VariableAttributes>>> {
    let new = input.attributes.into_new()?;
    let made = service::create(&app, &ctx, &Place::Environment(&environment), new).await?;
    Ok(Created(Document::of(resource(&made))))
}

/// Lists the account's variables, which all of its workspaces inherit, in one page.
#[utoipa::path(get, path = "/account/vars", tag = "variables",
    responses((status = 200, body = Document<Vec<Resource<VariableAttributes>>>)))]
async fn list_of_account(State(app): State<Arc<App>>, ctx: Context) -> ApiResult<Many> {
    Ok(all(&service::list_above(&app, &ctx, &Place::Account).await?))
}

/// Creates a variable of the account.
#[utoipa::path(post, path = "/account/vars", tag = "variables",
    request_body = Input<VariableInput>,
    responses((status = 201, body = Document<Resource<VariableAttributes>>)))]
async fn create_in_account(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<VariableInput>,
) -> ApiResult<Created<Resource<VariableAttributes>>> {
    let new = input.attributes.into_new()?;
    let made = service::create(&app, &ctx, &Place::Account, new).await?;
    Ok(Created(Document::of(resource(&made))))
}

/// Lists what counts for a workspace, its own and inherited, each key once, with what is overridden;
/// in one page.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/effective-vars", tag = "variables",
    params(("workspace_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<EffectiveAttributes>>>)))]
async fn list_effective(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(workspace): Path<String>,
) -> ApiResult<Document<Vec<Resource<EffectiveAttributes>>>> {
    let standing = service::standing(&app, &ctx, &workspace_id(&workspace)?).await?;
    let total = i64::try_from(standing.len()).unwrap_or(i64::MAX);
    let page = Page {
        number: 1,
        size: total.max(20),
    };
    Ok(Document::page(
        standing.iter().map(effective).collect(),
        Pagination::new(page, total),
    ))
}
