//! What clouds fetch to verify a run's token (OpenID Connect Discovery 1.0), and the keys for people.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use domain::ids::AccountId;
use domain::permission::Permission;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::RunIdentityError;
use super::store::Key;
use super::{keys, store};
use crate::app::App;
use crate::audit;
use crate::clock::Timestamp;
use crate::context::{Context, Tenant};
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Resource, zulu};
use crate::iam::{Authorized, Target, authorize};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, replace))
}

/// Outside of the API: without a token, at the issuer's address.
pub fn issuer_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(discovery))
        .routes(routes!(published))
}

/// The address that an account signs with.
pub(super) fn issuer(app: &App, account: &AccountId) -> String {
    app.url(&format!("/identity/{account}"))
}

fn account_id(text: &str) -> ApiResult<AccountId> {
    text.parse().map_err(|_| ApiError::not_found())
}

async fn keys_of(app: &App, account: &AccountId) -> Result<Vec<Key>, RunIdentityError> {
    let mut conn = app.db.acquire().await?;
    Ok(store::list(&mut conn, &Tenant::of_row(account)).await?)
}

/// Describes an account as an issuer of ID tokens.
#[utoipa::path(get, path = "/identity/{account_id}/.well-known/openid-configuration",
    tag = "run-identity", security(()), params(("account_id" = String, Path)),
    responses((status = 200, body = Object)))]
async fn discovery(
    State(app): State<Arc<App>>,
    Path(account): Path<String>,
) -> ApiResult<Json<Value>> {
    let account = account_id(&account)?;
    let issuer = issuer(&app, &account);
    Ok(Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid"],
        "claims_supported": ["jti", "iss", "aud", "sub", "iat", "nbf", "exp",
            "terraform_account_id", "terraform_account_name", "terraform_organization_id",
            "terraform_organization_name", "terraform_project_id", "terraform_project_name",
            "terraform_workspace_id", "terraform_workspace_name", "terraform_full_workspace",
            "terraform_run_id", "terraform_run_phase"],
    })))
}

/// The public keys of an account, as a JSON Web Key Set; empty for one that never signed.
#[utoipa::path(get, path = "/identity/{account_id}/jwks", tag = "run-identity", security(()),
    params(("account_id" = String, Path)), responses((status = 200, body = Object)))]
async fn published(
    State(app): State<Arc<App>>,
    Path(account): Path<String>,
) -> ApiResult<Json<Value>> {
    let keys = keys_of(&app, &account_id(&account)?).await?;
    let keys: Vec<Value> = keys.into_iter().map(|key| key.public_key).collect();
    Ok(Json(json!({ "keys": keys })))
}

/// Attributes of type `identity-keys`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct KeyAttributes {
    /// What to register with a cloud.
    issuer: String,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    created_at: Timestamp,
    /// From then on it signs, if there is no younger one.
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    signs_from: Timestamp,
    /// Until then it is published, when a younger one has taken over.
    #[schema(value_type = Option<String>)]
    retired_at: Option<Timestamp>,
}

fn resource(app: &App, account: &AccountId, key: &Key) -> Resource<KeyAttributes> {
    let attributes = KeyAttributes {
        issuer: issuer(app, account),
        created_at: key.created_at,
        signs_from: key.signs_from,
        retired_at: key.retired_at,
    };
    Resource::new("identity-keys", &key.id, attributes)
}

/// Lists the account's keys for the identity of runs, the youngest first.
#[utoipa::path(get, path = "/account/identity-keys", tag = "run-identity",
    responses((status = 200, body = Document<Vec<Resource<KeyAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
) -> ApiResult<Document<Vec<Resource<KeyAttributes>>>> {
    let account = &ctx.actor.account;
    let target = Target::new("accounts", account);
    authorize(&ctx, Permission::AccountsRead, target).map_err(RunIdentityError::from)?;
    let keys = keys_of(&app, account).await?;
    let keys = keys.iter().map(|key| resource(&app, account, key));
    Ok(Document::of(keys.collect()))
}

/// Replaces the account's keys at once: for when one may be in wrong hands. Tokens of runs at work are
/// refused as soon as a cloud has fetched the keys again.
#[utoipa::path(post, path = "/account/identity-keys", tag = "run-identity",
    responses((status = 201, body = Document<Resource<KeyAttributes>>)))]
async fn replace(
    State(app): State<Arc<App>>,
    ctx: Context,
) -> ApiResult<Created<Resource<KeyAttributes>>> {
    let account = &ctx.actor.account;
    let target = Target::new("accounts", account);
    let permission = Permission::AccountsRotateKeys;
    let proof = authorize(&ctx, permission, target).map_err(RunIdentityError::from)?;
    let key = replace_keys(&app, &ctx, &proof).await?;
    Ok(Created(Document::of(resource(&app, account, &key))))
}

async fn replace_keys(
    app: &App,
    ctx: &Context,
    proof: &Authorized,
) -> Result<Key, RunIdentityError> {
    let pair = keys::generate().await?;
    let mut tx = app.db.begin().await?;
    let key = keys::replace(app, &mut tx, &ctx.tenant(), pair).await?;
    let detail = json!({ "key": key.id });
    audit::record(&mut tx, ctx, proof, "identity-keys.replace", detail).await?;
    tx.commit().await?;
    Ok(key)
}
