//! Routes of a workspace's tags, in both views of the one set.

use std::sync::Arc;

use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::workspace_id;
use super::model::WorkspaceKey;
use super::service;
use super::tag_service::{self, TagChange};
use super::tags::TagBinding;
use crate::app::App;
use crate::context::Context;
use crate::http::attributes::Attributes;
use crate::http::body::ListBody;
use crate::http::error::ApiResult;
use crate::http::jsonapi::{Document, InputData, Inputs, Resource};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_tag_bindings, put_tag_bindings))
        .routes(routes!(list_tags, add_tags, remove_tags))
}

#[derive(Debug, Serialize, ToSchema)]
struct TagBindingAttributes {
    key: String,
    value: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct TagAttributes {
    name: String,
}

fn bindings(tags: Vec<TagBinding>) -> Document<Vec<Resource<TagBindingAttributes>>> {
    let one = |tag: TagBinding| {
        let attributes = TagBindingAttributes {
            key: tag.key,
            value: tag.value,
        };
        Resource::new("tag-bindings", tag.id, attributes)
    };
    Document::of(tags.into_iter().map(one).collect())
}

async fn tags_of(app: &App, ctx: &Context, id: &str) -> ApiResult<Vec<TagBinding>> {
    let workspace = service::read(app, ctx, &WorkspaceKey::Id(workspace_id(id)?)).await?;
    let tags = tag_service::tags_of(app, ctx, &[workspace.id]).await?;
    Ok(tags.into_iter().map(|(_, tag)| tag).collect())
}

/// Lists a workspace's tags as key-value bindings.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/tag-bindings", tag = "workspaces",
    params(("workspace_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<TagBindingAttributes>>>)))]
async fn list_tag_bindings(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Vec<Resource<TagBindingAttributes>>>> {
    Ok(bindings(tags_of(&app, &ctx, &id).await?))
}

/// Adds bindings; a key that is there gets its new value.
#[utoipa::path(patch, path = "/workspaces/{workspace_id}/tag-bindings", tag = "workspaces",
    params(("workspace_id" = String, Path)), request_body = Inputs<TagBindingInput>,
    responses((status = 200, body = Document<Vec<Resource<TagBindingAttributes>>>)))]
async fn put_tag_bindings(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    ListBody(list): ListBody<TagBindingInput>,
) -> ApiResult<Document<Vec<Resource<TagBindingAttributes>>>> {
    let tags = list
        .iter()
        .map(|entry| TagBinding::new(&entry.attributes.key, &entry.attributes.value))
        .collect::<Result<Vec<_>, _>>()?;
    let id = workspace_id(&id)?;
    Ok(bindings(
        tag_service::change_tags(&app, &ctx, &id, TagChange::Add, &tags).await?,
    ))
}

/// A binding to add.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
struct TagBindingInput {
    key: String,
    value: String,
}

impl Attributes for TagBindingInput {
    const TYPES: &'static [&'static str] = &["tag-bindings"];
}

/// A tag by its name. Instead, an entry may have the id: those of plain tags are their names.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
struct TagInput {
    name: Option<String>,
}

impl Attributes for TagInput {
    const TYPES: &'static [&'static str] = &["tags"];
}

/// Lists a workspace's plain tags.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/relationships/tags", tag = "workspaces",
    params(("workspace_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<TagAttributes>>>)))]
async fn list_tags(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Vec<Resource<TagAttributes>>>> {
    let tags = tags_of(&app, &ctx, &id).await?;
    let plain = tags.into_iter().filter(|tag| tag.value.is_empty());
    let data = plain
        .map(|tag| Resource::new("tags", tag.id, TagAttributes { name: tag.key }))
        .collect();
    Ok(Document::of(data))
}

async fn edit_tags(
    app: &App,
    ctx: &Context,
    id: &str,
    change: TagChange,
    list: Vec<InputData<TagInput>>,
) -> ApiResult<StatusCode> {
    let name = |entry: InputData<TagInput>| {
        let name = entry.attributes.name.or(entry.id);
        TagBinding::new(&name.unwrap_or_default(), "")
    };
    let tags = list.into_iter().map(name).collect::<Result<Vec<_>, _>>()?;
    tag_service::change_tags(app, ctx, &workspace_id(id)?, change, &tags).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Adds plain tags.
#[utoipa::path(post, path = "/workspaces/{workspace_id}/relationships/tags", tag = "workspaces",
    params(("workspace_id" = String, Path)), request_body = Inputs<TagInput>,
    responses((status = 204)))]
async fn add_tags(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    ListBody(list): ListBody<TagInput>,
) -> ApiResult<StatusCode> {
    edit_tags(&app, &ctx, &id, TagChange::Add, list).await
}

/// Removes tags.
#[utoipa::path(delete, path = "/workspaces/{workspace_id}/relationships/tags", tag = "workspaces",
    params(("workspace_id" = String, Path)), request_body = Inputs<TagInput>,
    responses((status = 204)))]
async fn remove_tags(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    ListBody(list): ListBody<TagInput>,
) -> ApiResult<StatusCode> {
    edit_tags(&app, &ctx, &id, TagChange::Remove, list).await
}
