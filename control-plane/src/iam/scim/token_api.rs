//! The token that a provider's provisioning client shows.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::IdentityProviderId;
use domain::permission::Permission;
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::token_store;
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Resource};
use crate::iam::TokenText;
use crate::iam::identity::{IdentityError, load};

pub(in crate::iam) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(replace, delete))
}

/// Attributes of type `provisioning-tokens`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct ProvisioningTokenAttributes {
    /// It is in this answer and never again.
    token: String,
    /// Where the client sends its requests to.
    base_url: String,
}

/// Makes the provider's provisioning token; the one there was stops working.
#[utoipa::path(post, path = "/identity-providers/{identity_provider_id}/provisioning-token",
    tag = "identity", params(("identity_provider_id" = String, Path)),
    responses((status = 201, body = Document<Resource<ProvisioningTokenAttributes>>)))]
async fn replace(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Created<Resource<ProvisioningTokenAttributes>>> {
    let id = provider_id(&id)?;
    let made = make(&app, &ctx, &id).await?;
    let attributes = ProvisioningTokenAttributes {
        token: made.text.expose().clone(),
        base_url: app.url(&format!("/scim/v2/{id}")),
    };
    let resource = Resource::new("provisioning-tokens", &id, attributes);
    Ok(Created(Document::of(resource)))
}

/// Takes the provider's provisioning token away.
#[utoipa::path(delete, path = "/identity-providers/{identity_provider_id}/provisioning-token",
    tag = "identity", params(("identity_provider_id" = String, Path)),
    responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    take(&app, &ctx, &provider_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn provider_id(text: &str) -> ApiResult<IdentityProviderId> {
    text.parse().map_err(|_| ApiError::not_found())
}

async fn make(
    app: &App,
    ctx: &Context,
    id: &IdentityProviderId,
) -> Result<TokenText, IdentityError> {
    let mut tx = app.db.begin().await?;
    let (_, proof) = load(&mut tx, ctx, id, Permission::IdentityProvidersManage).await?;
    let token = TokenText::of_word("scim");
    token_store::replace(&mut tx, ctx, id, &token).await?;
    let detail = json!({ "last_six": token.last_six });
    audit::record(&mut tx, ctx, &proof, "provisioning-token.create", detail).await?;
    tx.commit().await?;
    Ok(token)
}

async fn take(app: &App, ctx: &Context, id: &IdentityProviderId) -> Result<(), IdentityError> {
    let mut tx = app.db.begin().await?;
    let (_, proof) = load(&mut tx, ctx, id, Permission::IdentityProvidersManage).await?;
    if !token_store::delete(&mut tx, &ctx.tenant(), id).await? {
        return Err(IdentityError::NotFound);
    }
    audit::record(&mut tx, ctx, &proof, "provisioning-token.delete", json!({})).await?;
    tx.commit().await?;
    Ok(())
}
