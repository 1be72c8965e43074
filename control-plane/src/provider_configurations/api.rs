//! Routes of provider configurations.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::ProviderConfigurationId;
use domain::provider::Provider;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{
    ConfigurationAttributes, ConfigurationInput, change, new_configuration, resource, shared,
};
use super::error::ConfigurationError;
use super::{link_api, service};
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
        .merge(link_api::routes())
}

type One = Document<Resource<ConfigurationAttributes>>;
type Many = Document<Vec<Resource<ConfigurationAttributes>>>;

pub(super) fn configuration_id(text: &str) -> ApiResult<ProviderConfigurationId> {
    text.parse().map_err(|_| ApiError::not_found())
}

fn provider(text: &str) -> Result<Provider, ConfigurationError> {
    text.parse()
        .map_err(|error: domain::UnknownWord| ConfigurationError::Invalid {
            pointer: "filter[provider]".to_owned(),
            detail: format!("{text:?} is not one of: {}", error.known),
        })
}

/// Lists the account's provider configurations by name, those of its environments too.
#[utoipa::path(get, path = "/provider-configurations", tag = "provider-configurations",
    params(("filter[provider]" = Option<String>, Query)),
    responses((status = 200, body = Document<Vec<Resource<ConfigurationAttributes>>>)))]
async fn list(State(app): State<Arc<App>>, ctx: Context, query: Query) -> ApiResult<Many> {
    let page = Page::from_query(&query)?;
    let wanted = query.get("filter[provider]").map(provider).transpose()?;
    let found = service::list(&app, &ctx, wanted, page).await?;
    Ok(Document::page(
        found.items.iter().map(resource).collect(),
        Pagination::new(page, found.total),
    ))
}

/// Makes a provider configuration: of the account, or of the environment that is named.
#[utoipa::path(post, path = "/provider-configurations", tag = "provider-configurations",
    request_body = Input<ConfigurationInput>,
    responses((status = 201, body = Document<Resource<ConfigurationAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<ConfigurationInput>,
) -> ApiResult<Created<Resource<ConfigurationAttributes>>> {
    let made = service::create(&app, &ctx, new_configuration(input)?).await?;
    Ok(Created(Document::of(shared(&made))))
}

/// Reads a provider configuration, without its secrets.
#[utoipa::path(get, path = "/provider-configurations/{provider_configuration_id}",
    tag = "provider-configurations", params(("provider_configuration_id" = String, Path)),
    responses((status = 200, body = Document<Resource<ConfigurationAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context, Path(id): Path<String>) -> ApiResult<One> {
    let found = service::read(&app, &ctx, &configuration_id(&id)?).await?;
    Ok(Document::of(shared(&found)))
}

/// Changes a provider configuration. Phases that begin from now on receive what it says.
#[utoipa::path(patch, path = "/provider-configurations/{provider_configuration_id}",
    tag = "provider-configurations", params(("provider_configuration_id" = String, Path)),
    request_body = Input<ConfigurationInput>,
    responses((status = 200, body = Document<Resource<ConfigurationAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<ConfigurationInput>,
) -> ApiResult<One> {
    let id = configuration_id(&id)?;
    let changed = service::update(&app, &ctx, &id, change(input)?).await?;
    Ok(Document::of(shared(&changed)))
}

/// Deletes a provider configuration that no workspace links.
#[utoipa::path(delete, path = "/provider-configurations/{provider_configuration_id}",
    tag = "provider-configurations", params(("provider_configuration_id" = String, Path)),
    responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &configuration_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
