//! Routes of identity providers and of the sign-in policy.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::IdentityProviderId;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{
    LinkAttributes, PolicyAttributes, PolicyInput, ProviderAttributes, ProviderInput, bypass_users,
    change, policy_resource, resource, sign_in_link,
};
use super::{policy, service, verification};
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::iam::login::site_of_account;

pub(in crate::iam) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
        .routes(routes!(begin_test))
        .routes(routes!(read_policy, update_policy))
}

type One = Document<Resource<ProviderAttributes>>;

fn provider_id(text: &str) -> ApiResult<IdentityProviderId> {
    text.parse().map_err(|_| ApiError::not_found())
}

async fn site(app: &App, ctx: &Context) -> ApiResult<String> {
    Ok(site_of_account(app, &ctx.actor.account)
        .await
        .map_err(super::IdentityError::from)?)
}

/// Lists the identity providers of the account.
#[utoipa::path(get, path = "/identity-providers", tag = "identity",
    responses((status = 200, body = Document<Vec<Resource<ProviderAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
) -> ApiResult<Document<Vec<Resource<ProviderAttributes>>>> {
    let found = service::list(&app, &ctx).await?;
    let site = site(&app, &ctx).await?;
    let data = found
        .iter()
        .map(|(provider, mappings)| resource(&site, provider, mappings))
        .collect();
    Ok(Document::of(data))
}

/// Makes an identity provider.
#[utoipa::path(post, path = "/identity-providers", tag = "identity",
    request_body = Input<ProviderInput>,
    responses((status = 201, body = Document<Resource<ProviderAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<ProviderInput>,
) -> ApiResult<Created<Resource<ProviderAttributes>>> {
    let (made, mappings) = service::create(&app, &ctx, change(input.attributes)?).await?;
    let site = site(&app, &ctx).await?;
    Ok(Created(Document::of(resource(&site, &made, &mappings))))
}

/// Reads an identity provider; its secret is never shown.
#[utoipa::path(get, path = "/identity-providers/{identity_provider_id}", tag = "identity",
    params(("identity_provider_id" = String, Path)),
    responses((status = 200, body = Document<Resource<ProviderAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context, Path(id): Path<String>) -> ApiResult<One> {
    let (found, mappings) = service::read(&app, &ctx, &provider_id(&id)?).await?;
    let site = site(&app, &ctx).await?;
    Ok(Document::of(resource(&site, &found, &mappings)))
}

/// Changes an identity provider.
#[utoipa::path(patch, path = "/identity-providers/{identity_provider_id}", tag = "identity",
    params(("identity_provider_id" = String, Path)), request_body = Input<ProviderInput>,
    responses((status = 200, body = Document<Resource<ProviderAttributes>>), (status = 409)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<ProviderInput>,
) -> ApiResult<One> {
    let change = change(input.attributes)?;
    let (now, mappings) = service::update(&app, &ctx, &provider_id(&id)?, change).await?;
    let site = site(&app, &ctx).await?;
    Ok(Document::of(resource(&site, &now, &mappings)))
}

/// Deletes an identity provider, and whom it knows by which name. Users stay.
#[utoipa::path(delete, path = "/identity-providers/{identity_provider_id}", tag = "identity",
    params(("identity_provider_id" = String, Path)),
    responses((status = 204), (status = 409)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &provider_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begins a test sign-in: gives a link to open in a browser.
#[utoipa::path(post, path = "/identity-providers/{identity_provider_id}/actions/verify",
    tag = "identity", params(("identity_provider_id" = String, Path)),
    responses((status = 200, body = Document<Resource<LinkAttributes>>)))]
async fn begin_test(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<LinkAttributes>>> {
    let id = provider_id(&id)?;
    let (text, expires_at) = verification::begin(&app, &ctx, &id).await?;
    let site = site(&app, &ctx).await?;
    Ok(Document::of(sign_in_link(&site, &id, &text, expires_at)))
}

/// Reads how members of the account must sign in.
#[utoipa::path(get, path = "/sign-in-policy", tag = "identity",
    responses((status = 200, body = Document<Resource<PolicyAttributes>>)))]
async fn read_policy(
    State(app): State<Arc<App>>,
    ctx: Context,
) -> ApiResult<Document<Resource<PolicyAttributes>>> {
    let found = policy::read(&app, &ctx).await?;
    Ok(Document::of(policy_resource(&ctx.actor.account, &found)))
}

/// Says how members of the account must sign in.
#[utoipa::path(patch, path = "/sign-in-policy", tag = "identity",
    request_body = Input<PolicyInput>,
    responses((status = 200, body = Document<Resource<PolicyAttributes>>), (status = 409)))]
async fn update_policy(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<PolicyInput>,
) -> ApiResult<Document<Resource<PolicyAttributes>>> {
    let users = bypass_users(&input)?;
    let now = policy::update(&app, &ctx, input.attributes.enforced, users).await?;
    Ok(Document::of(policy_resource(&ctx.actor.account, &now)))
}
