//! Routes of workspaces, their locks and tags.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::{ProjectId, RunnerPoolId, WorkspaceId};
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{WorkspaceAttributes, WorkspaceInput};
use super::error::WorkspaceError;
use super::git::NewGitSource;
use super::model::{Filter, Workspace, WorkspaceKey};
use super::service::{self, Deletion, NewWorkspace, WorkspaceChange};
use super::tag_service;
use super::tags::TagBinding;
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, InputData, InputIdentifier, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read_by_name, update_by_name, delete_by_name))
        .routes(routes!(safe_delete_by_name))
        .routes(routes!(read, update, delete))
        .routes(routes!(safe_delete))
        .merge(super::lock_api::routes())
        .merge(super::tag_api::routes())
}

/// A workspace as a JSON:API object.
pub fn resource(
    ctx: &Context,
    workspace: &Workspace,
    tags: &[TagBinding],
) -> Resource<WorkspaceAttributes> {
    let resource = Resource::new(
        "workspaces",
        &workspace.id,
        WorkspaceAttributes::new(ctx, workspace, tags),
    )
    .to_one(
        "organization",
        "organizations",
        Some(&workspace.environment_name),
    )
    .to_one("project", "projects", Some(&workspace.project_id))
    .to_one("current-run", "runs", workspace.current_run_id.as_ref())
    .to_one(
        "current-state-version",
        "state-versions",
        workspace.current_state_version_id.as_ref(),
    )
    .to_one(
        "current-configuration-version",
        "configuration-versions",
        workspace.current_configuration_version_id.as_ref(),
    )
    .to_one("agent-pool", "agent-pools", workspace.pool_id.as_ref())
    .link(
        "self",
        format!(
            "/api/v2/organizations/{}/workspaces/{}",
            workspace.environment_name, workspace.name
        ),
    );
    match &workspace.lock {
        Some(lock) => {
            let kind = match lock.kind {
                domain::workspace::LockKind::Run => "runs",
                domain::workspace::LockKind::User => "users",
            };
            resource.to_one("locked-by", kind, Some(&lock.holder_id))
        }
        None => resource,
    }
}

/// A workspace with its tags loaded, as a document.
pub async fn document(
    app: &App,
    ctx: &Context,
    workspace: &Workspace,
) -> ApiResult<Document<Resource<WorkspaceAttributes>>> {
    let tags = tag_service::tags_of(app, ctx, std::slice::from_ref(&workspace.id)).await?;
    let tags: Vec<_> = tags.into_iter().map(|(_, tag)| tag).collect();
    Ok(Document::of(resource(ctx, workspace, &tags)))
}

pub(super) type One = Document<Resource<WorkspaceAttributes>>;

/// Lists the workspaces of an environment.
#[utoipa::path(get, path = "/organizations/{organization}/workspaces", tag = "workspaces",
    params(("organization" = String, Path, description = "name or id of the environment")),
    responses((status = 200, body = Document<Vec<Resource<WorkspaceAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<WorkspaceAttributes>>>> {
    let page = Page::from_query(&query)?;
    let found = service::list(&app, &ctx, &organization, &filter_of(&query)?, page).await?;
    let ids: Vec<WorkspaceId> = found.items.iter().map(|it| it.id.clone()).collect();
    let mut tags: HashMap<WorkspaceId, Vec<TagBinding>> = HashMap::new();
    for (id, tag) in tag_service::tags_of(&app, &ctx, &ids).await? {
        tags.entry(id).or_default().push(tag);
    }
    let data = found
        .items
        .iter()
        .map(|it| resource(&ctx, it, tags.get(&it.id).map_or(&[], Vec::as_slice)))
        .collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

fn filter_of(query: &Query) -> ApiResult<Filter> {
    let words = |key: &str| query.words(key).into_iter().map(str::to_owned).collect();
    Ok(Filter {
        name: query.get("search[name]").map(str::to_owned),
        tags: words("search[tags]"),
        exclude_tags: words("search[exclude-tags]"),
        tagged: query.tagged(),
        project: query
            .get("filter[project][id]")
            .map(str::parse::<ProjectId>)
            .transpose()
            .map_err(|_| ApiError::not_found())?,
        descending: query.get("sort") == Some("-name"),
    })
}

/// Creates a workspace.
#[utoipa::path(post, path = "/organizations/{organization}/workspaces", tag = "workspaces",
    params(("organization" = String, Path)), request_body = crate::http::jsonapi::Input<WorkspaceInput>,
    responses((status = 201, body = Document<Resource<WorkspaceAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
    Body(input): Body<WorkspaceInput>,
) -> ApiResult<Created<Resource<WorkspaceAttributes>>> {
    let new = NewWorkspace {
        name: input.attributes.name.clone().unwrap_or_default(),
        project: project_of(&input)?,
        pool: pool_of(&input)?.flatten(),
        agent: input.attributes.is_agent(),
        settings: input.attributes.settings()?,
        tags: input_tags(&input)?,
        git: input
            .attributes
            .git
            .flatten()
            .map(NewGitSource::from_input)
            .transpose()?,
    };
    let workspace = service::create(&app, &ctx, &organization, new).await?;
    Ok(Created(document(&app, &ctx, &workspace).await?))
}

fn project_of(input: &InputData<WorkspaceInput>) -> Result<Option<ProjectId>, WorkspaceError> {
    input
        .related_id("project")
        .map(|id| {
            id.parse().map_err(|_| WorkspaceError::Invalid {
                pointer: "/data/relationships/project".to_owned(),
                detail: format!("{id:?} is no project id"),
            })
        })
        .transpose()
}

/// The pool asked for, as an attribute or as a relationship; `None` leaves it as it is. Another
/// execution mode than `agent` gives it up.
fn pool_of(
    input: &InputData<WorkspaceInput>,
) -> Result<Option<Option<RunnerPoolId>>, WorkspaceError> {
    let attributes = &input.attributes;
    let pool = match (&attributes.agent_pool_id, input.to_one("agent-pool")) {
        (Some(pool), _) => Some(pool.clone()),
        (None, None) => None,
        (None, Some(None)) => Some(None),
        (None, Some(Some(id))) => Some(Some(id.parse().map_err(|_| WorkspaceError::Invalid {
            pointer: "/data/relationships/agent-pool".to_owned(),
            detail: format!("{id:?} is no runner pool id"),
        })?)),
    };
    let named_mode = attributes.execution_mode.is_some() || attributes.operations.is_some();
    match pool {
        Some(Some(_)) if named_mode && !attributes.is_agent() => Err(WorkspaceError::invalid(
            "agent-pool-id",
            "a pool goes with the execution mode \"agent\"; ask for that, or leave the pool out",
        )),
        None if named_mode && !attributes.is_agent() => Ok(Some(None)),
        pool => Ok(pool),
    }
}

/// Tags of a create come as plain tags, as bindings, or both.
fn input_tags(input: &InputData<WorkspaceInput>) -> Result<Vec<TagBinding>, WorkspaceError> {
    let plain = input.related("tags").iter().map(tag_of_identifier);
    let bindings = input.related("tag-bindings").iter().map(|entry| {
        let text = |key: &str| {
            entry
                .attributes
                .get(key)
                .and_then(|it| it.as_str())
                .unwrap_or("")
        };
        TagBinding::new(text("key"), text("value"))
    });
    plain.chain(bindings).collect()
}

/// `tags` entries carry a name instead of an id; our ids of plain tags are their names.
fn tag_of_identifier(entry: &InputIdentifier) -> Result<TagBinding, WorkspaceError> {
    let name = entry
        .attributes
        .get("name")
        .and_then(|it| it.as_str())
        .unwrap_or(&entry.id);
    TagBinding::new(name, "")
}

fn by_name(path: (String, String)) -> WorkspaceKey {
    WorkspaceKey::Name {
        environment: path.0,
        name: path.1,
    }
}

async fn answer(app: &App, ctx: &Context, key: &WorkspaceKey) -> ApiResult<One> {
    let workspace = service::read(app, ctx, key).await?;
    document(app, ctx, &workspace).await
}

/// Reads a workspace by name.
#[utoipa::path(get, path = "/organizations/{organization}/workspaces/{name}", tag = "workspaces",
    params(("organization" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Document<Resource<WorkspaceAttributes>>)))]
async fn read_by_name(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(path): Path<(String, String)>,
) -> ApiResult<One> {
    answer(&app, &ctx, &by_name(path)).await
}

/// Reads a workspace.
#[utoipa::path(get, path = "/workspaces/{workspace_id}", tag = "workspaces",
    params(("workspace_id" = String, Path)),
    responses((status = 200, body = Document<Resource<WorkspaceAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context, Path(id): Path<String>) -> ApiResult<One> {
    answer(&app, &ctx, &WorkspaceKey::Id(workspace_id(&id)?)).await
}

/// An id of another kind is as absent as an unknown one.
pub fn workspace_id(text: &str) -> ApiResult<WorkspaceId> {
    text.parse().map_err(|_| ApiError::not_found())
}

async fn change(
    app: &App,
    ctx: &Context,
    key: &WorkspaceKey,
    input: InputData<WorkspaceInput>,
) -> ApiResult<One> {
    let change = WorkspaceChange {
        name: input.attributes.name.clone(),
        project: project_of(&input)?,
        pool: pool_of(&input)?,
        agent: input.attributes.is_agent(),
        settings: input.attributes.settings()?,
        git: match input.attributes.git {
            Some(Some(git)) => Some(Some(NewGitSource::from_input(git)?)),
            Some(None) => Some(None),
            None => None,
        },
    };
    let workspace = service::update(app, ctx, key, change).await?;
    document(app, ctx, &workspace).await
}

/// Changes a workspace, by name.
#[utoipa::path(patch, path = "/organizations/{organization}/workspaces/{name}", tag = "workspaces",
    params(("organization" = String, Path), ("name" = String, Path)),
    request_body = crate::http::jsonapi::Input<WorkspaceInput>,
    responses((status = 200, body = Document<Resource<WorkspaceAttributes>>)))]
async fn update_by_name(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(path): Path<(String, String)>,
    Body(input): Body<WorkspaceInput>,
) -> ApiResult<One> {
    change(&app, &ctx, &by_name(path), input).await
}

/// Changes a workspace.
#[utoipa::path(patch, path = "/workspaces/{workspace_id}", tag = "workspaces",
    params(("workspace_id" = String, Path)),
    request_body = crate::http::jsonapi::Input<WorkspaceInput>,
    responses((status = 200, body = Document<Resource<WorkspaceAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<WorkspaceInput>,
) -> ApiResult<One> {
    change(&app, &ctx, &WorkspaceKey::Id(workspace_id(&id)?), input).await
}

/// Deletes a workspace and all it knows, by name.
#[utoipa::path(delete, path = "/organizations/{organization}/workspaces/{name}", tag = "workspaces",
    params(("organization" = String, Path), ("name" = String, Path)), responses((status = 204)))]
async fn delete_by_name(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(path): Path<(String, String)>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &by_name(path), Deletion::Forced).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a workspace and all it knows.
#[utoipa::path(delete, path = "/workspaces/{workspace_id}", tag = "workspaces",
    params(("workspace_id" = String, Path)), responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    let key = WorkspaceKey::Id(workspace_id(&id)?);
    service::delete(&app, &ctx, &key, Deletion::Forced).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a workspace that manages nothing, by name.
#[utoipa::path(post, path = "/organizations/{organization}/workspaces/{name}/actions/safe-delete",
    tag = "workspaces", params(("organization" = String, Path), ("name" = String, Path)),
    responses((status = 204), (status = 409, body = crate::http::error::ErrorDocument)))]
async fn safe_delete_by_name(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(path): Path<(String, String)>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &by_name(path), Deletion::Safe).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a workspace that manages nothing.
#[utoipa::path(post, path = "/workspaces/{workspace_id}/actions/safe-delete", tag = "workspaces",
    params(("workspace_id" = String, Path)),
    responses((status = 204), (status = 409, body = crate::http::error::ErrorDocument)))]
async fn safe_delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    let key = WorkspaceKey::Id(workspace_id(&id)?);
    service::delete(&app, &ctx, &key, Deletion::Safe).await?;
    Ok(StatusCode::NO_CONTENT)
}
