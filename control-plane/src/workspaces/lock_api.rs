//! Routes of a workspace's lock.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::{One, document, workspace_id};
use super::attributes::WorkspaceAttributes;
use super::lock_service as service;
use crate::app::App;
use crate::context::Context;
use crate::http::attributes::Attributes;
use crate::http::body::OptionalBody;
use crate::http::error::ApiResult;
use crate::http::jsonapi::{Document, Input, Resource};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(lock))
        .routes(routes!(unlock))
        .routes(routes!(force_unlock))
}

/// Why a workspace is locked. Sent bare, or as the CLI wraps it (with an empty type).
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
struct LockInput {
    reason: Option<String>,
}

impl Attributes for LockInput {
    const TYPES: &'static [&'static str] = &["workspaces"];
}

/// Locks a workspace for the caller.
#[utoipa::path(post, path = "/workspaces/{workspace_id}/actions/lock", tag = "workspaces",
    params(("workspace_id" = String, Path)), request_body = Input<LockInput>,
    responses((status = 200, body = Document<Resource<WorkspaceAttributes>>), (status = 409)))]
async fn lock(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    OptionalBody(input): OptionalBody<LockInput>,
) -> ApiResult<One> {
    let reason = input.attributes.reason.unwrap_or_default();
    let workspace = service::lock(&app, &ctx, &workspace_id(&id)?, &reason).await?;
    document(&app, &ctx, &workspace).await
}

/// Gives the caller's lock back.
#[utoipa::path(post, path = "/workspaces/{workspace_id}/actions/unlock", tag = "workspaces",
    params(("workspace_id" = String, Path)),
    responses((status = 200, body = Document<Resource<WorkspaceAttributes>>), (status = 409)))]
async fn unlock(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<One> {
    let workspace = service::unlock(&app, &ctx, &workspace_id(&id)?).await?;
    document(&app, &ctx, &workspace).await
}

/// Takes anybody's lock away.
#[utoipa::path(post, path = "/workspaces/{workspace_id}/actions/force-unlock", tag = "workspaces",
    params(("workspace_id" = String, Path)),
    responses((status = 200, body = Document<Resource<WorkspaceAttributes>>), (status = 409)))]
async fn force_unlock(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<One> {
    let workspace = service::force_unlock(&app, &ctx, &workspace_id(&id)?).await?;
    document(&app, &ctx, &workspace).await
}
