//! Routes of sessions.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::SessionId;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service;
use super::store::Session;
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Document, Resource, zulu};

pub(in crate::iam) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(delete))
}

/// Attributes of type `sessions`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct SessionAttributes {
    source_address: Option<String>,
    user_agent: Option<String>,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    expires_at: Timestamp,
}

fn resource(session: &Session) -> Resource<SessionAttributes> {
    let attributes = SessionAttributes {
        source_address: session.source_address.clone(),
        user_agent: session.user_agent.clone(),
        created_at: session.created_at,
        expires_at: session.expires_at,
    };
    Resource::new("sessions", &session.id, attributes)
        .to_one("user", "users", Some(&session.user_id))
        .to_one(
            "identity-provider",
            "identity-providers",
            session.provider_id.as_ref(),
        )
}

/// Lists the browsers in which a user is signed in.
#[utoipa::path(get, path = "/users/{user_id}/sessions", tag = "users",
    params(("user_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<SessionAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Vec<Resource<SessionAttributes>>>> {
    let id = id.parse().map_err(|_| ApiError::not_found())?;
    let found = service::list(&app, &ctx, &id).await?;
    Ok(Document::of(found.iter().map(resource).collect()))
}

/// Signs a browser out.
#[utoipa::path(delete, path = "/sessions/{session_id}", tag = "users",
    params(("session_id" = String, Path)), responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    let id: SessionId = id.parse().map_err(|_| ApiError::not_found())?;
    service::delete(&app, &ctx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
