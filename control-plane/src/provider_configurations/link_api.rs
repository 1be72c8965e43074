//! Routes of links.

use std::sync::Arc;

use axum::extract::{Path, State};
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::configuration_id;
use super::attributes::{LinkAttributes, LinkInput, link};
use super::error::ConfigurationError;
use super::link_service as service;
use super::model::Link;
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::workspaces::api::workspace_id;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(of_workspace, create))
        .routes(routes!(of_configuration))
        .routes(routes!(delete))
}

type Many = Document<Vec<Resource<LinkAttributes>>>;

/// All in one page: there are few.
fn all(links: &[Link]) -> Many {
    Document::of(links.iter().map(link).collect())
}

/// Lists the provider configurations that a workspace links, without the defaults.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/provider-configuration-links",
    tag = "provider-configurations", params(("workspace_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<LinkAttributes>>>)))]
async fn of_workspace(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(workspace): Path<String>,
) -> ApiResult<Many> {
    let id = workspace_id(&workspace)?;
    Ok(all(&service::of_workspace(&app, &ctx, &id).await?))
}

/// Lets a workspace use a provider configuration, under an alias if one is given.
#[utoipa::path(post, path = "/workspaces/{workspace_id}/provider-configuration-links",
    tag = "provider-configurations", params(("workspace_id" = String, Path)),
    request_body = Input<LinkInput>,
    responses((status = 201, body = Document<Resource<LinkAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(workspace): Path<String>,
    Body(input): Body<LinkInput>,
) -> ApiResult<Created<Resource<LinkAttributes>>> {
    let named = input.to_one("provider-configuration").flatten();
    let named = named.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let detail = "name the provider configuration";
        ConfigurationError::relationship("provider-configuration", detail)
    })?;
    let workspace = workspace_id(&workspace)?;
    let alias = input.attributes.alias.unwrap_or_default();
    let made = service::create(&app, &ctx, &workspace, &named, alias).await?;
    Ok(Created(Document::of(link(&made))))
}

/// Lists the workspaces that link a provider configuration, a thousand at the most.
#[utoipa::path(get, path = "/provider-configurations/{provider_configuration_id}/links",
    tag = "provider-configurations", params(("provider_configuration_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<LinkAttributes>>>)))]
async fn of_configuration(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Many> {
    let id = configuration_id(&id)?;
    Ok(all(&service::of_configuration(&app, &ctx, &id).await?))
}

/// Removes a link. Phases that begin from now on no longer receive the configuration by it.
#[utoipa::path(delete, path = "/provider-configuration-links/{provider_configuration_link_id}",
    tag = "provider-configurations", params(("provider_configuration_link_id" = String, Path)),
    responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    let id = id.parse().map_err(|_| ApiError::not_found())?;
    service::delete(&app, &ctx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
