//! Routes of outputs. Source: TFE contract, section 2.10.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::permission::Permission;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::version_id;
use super::outputs::{self, Output};
use super::read;
use crate::app::App;
use crate::context::Context;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Document, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;
use crate::workspaces::api::workspace_id;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(list_current))
        .routes(routes!(read_one))
}

/// Attributes of type `state-version-outputs`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct OutputAttributes {
    pub name: String,
    pub sensitive: bool,
    #[serde(rename = "type")]
    pub kind: String,
    /// Terraform's JSON form of the type.
    #[schema(value_type = Object)]
    pub detailed_type: Value,
    /// `null` for a sensitive one in a list, and for who may not read states.
    #[schema(value_type = Option<Object>)]
    pub value: Option<Box<RawValue>>,
}

/// Types as this API calls them.
fn wire_type(kind: &str) -> &str {
    match kind {
        "list" | "set" | "tuple" => "array",
        "map" | "object" => "object",
        "bool" => "boolean",
        other => other,
    }
}

pub(super) fn resource(output: Output) -> Resource<OutputAttributes> {
    let path = format!("/api/v2/state-version-outputs/{}", output.id);
    let attributes = OutputAttributes {
        name: output.name,
        sensitive: output.sensitive,
        kind: wire_type(&output.kind).to_owned(),
        detailed_type: output.detailed_type,
        value: output.value,
    };
    Resource::new("state-version-outputs", output.id, attributes).link("self", path)
}

type Many = Document<Vec<Resource<OutputAttributes>>>;

/// Lists the outputs of a state version; sensitive values are left out.
#[utoipa::path(get, path = "/state-versions/{state_version_id}/outputs", tag = "state-versions",
    params(("state_version_id" = String, Path)), responses((status = 200, body = Many)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Many> {
    let page = Page::from_query(&query)?;
    let found = read::find(
        &app,
        &ctx,
        &version_id(&id)?,
        Permission::StateVersionsReadOutputs,
    )
    .await?;
    let outputs = outputs::list(&app, &ctx, &found, Some(page)).await?;
    let data = outputs.items.into_iter().map(resource).collect();
    Ok(Document::page(data, Pagination::new(page, outputs.total)))
}

/// Lists all outputs of a workspace's current state; sensitive values are left out.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/current-state-version-outputs",
    tag = "state-versions", params(("workspace_id" = String, Path)),
    responses((status = 200, body = Many)))]
async fn list_current(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Many> {
    let found = read::current(&app, &ctx, &workspace_id(&id)?).await?;
    let outputs = outputs::list(&app, &ctx, &found, None).await?;
    Ok(Document::of(
        outputs.items.into_iter().map(resource).collect(),
    ))
}

/// Reads one output, with its value even if it is sensitive, for who may read states.
#[utoipa::path(get, path = "/state-version-outputs/{output_id}", tag = "state-versions",
    params(("output_id" = String, Path)),
    responses((status = 200, body = Document<Resource<OutputAttributes>>)))]
async fn read_one(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<OutputAttributes>>> {
    let id = id.parse().map_err(|_| ApiError::not_found())?;
    Ok(Document::of(resource(
        outputs::read(&app, &ctx, &id).await?,
    )))
}
