//! Routes of second factors.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::Secret;
use domain::ids::UserId;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::attributes::Attributes;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};

pub(in crate::iam) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(begin, delete))
        .routes(routes!(confirm))
}

/// Attributes of type `second-factors`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct FactorAttributes {
    /// For typing it into an authenticator app. It is in this answer and never again.
    secret: String,
    /// The same as an `otpauth:` address.
    address: String,
}

/// Attributes of type `recovery-codes`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct RecoveryAttributes {
    /// Each works once in place of a code. They are in this answer and never again.
    codes: Vec<String>,
}

/// What confirms a factor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct CodeInput {
    /// The code that the app shows.
    #[serde(default = "no_code")]
    #[schema(value_type = String)]
    code: Secret,
}

fn no_code() -> Secret {
    Secret::new(String::new())
}

impl Default for CodeInput {
    fn default() -> Self {
        Self { code: no_code() }
    }
}

impl Attributes for CodeInput {
    const TYPES: &'static [&'static str] = &["second-factors"];
}

fn user_id(text: &str) -> ApiResult<UserId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Begins a second factor of one's own: it is in force once a code of it is confirmed.
#[utoipa::path(post, path = "/users/{user_id}/second-factor", tag = "users",
    params(("user_id" = String, Path)),
    responses((status = 201, body = Document<Resource<FactorAttributes>>), (status = 409)))]
async fn begin(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Created<Resource<FactorAttributes>>> {
    let id = user_id(&id)?;
    let begun = service::begin(&app, &ctx, &id).await?;
    let attributes = FactorAttributes {
        secret: begun.secret.expose().clone(),
        address: begun.address.expose().clone(),
    };
    Ok(Created(Document::of(Resource::new(
        "second-factors",
        &id,
        attributes,
    ))))
}

/// Puts a second factor in force, and gives the recovery codes.
#[utoipa::path(post, path = "/users/{user_id}/second-factor/actions/confirm", tag = "users",
    params(("user_id" = String, Path)), request_body = Input<CodeInput>,
    responses((status = 200, body = Document<Resource<RecoveryAttributes>>), (status = 409)))]
async fn confirm(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<CodeInput>,
) -> ApiResult<Document<Resource<RecoveryAttributes>>> {
    let id = user_id(&id)?;
    let codes = service::confirm(&app, &ctx, &id, input.attributes.code.expose()).await?;
    let attributes = RecoveryAttributes {
        codes: codes.iter().map(|it| it.expose().clone()).collect(),
    };
    Ok(Document::of(Resource::new(
        "recovery-codes",
        &id,
        attributes,
    )))
}

/// Takes a second factor away: one's own, or that of a member who has lost it.
#[utoipa::path(delete, path = "/users/{user_id}/second-factor", tag = "users",
    params(("user_id" = String, Path)), responses((status = 204), (status = 409)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &user_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
