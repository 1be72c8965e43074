//! Routes of invitations, and of links for a new password.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::UserLinkId;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{InvitationAttributes, InvitationInput, PasswordLinkAttributes, resource};
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};

pub(in crate::iam) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, invite))
        .routes(routes!(revoke))
        .routes(routes!(reset_link))
}

/// Lists the invitations that wait, without their links.
#[utoipa::path(get, path = "/invitations", tag = "users",
    responses((status = 200, body = Document<Vec<Resource<InvitationAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
) -> ApiResult<Document<Vec<Resource<InvitationAttributes>>>> {
    let found = service::list(&app, &ctx).await?;
    Ok(Document::of(
        found.iter().map(|it| resource(it, None)).collect(),
    ))
}

/// Invites somebody to the account. The link is in this answer and never again.
#[utoipa::path(post, path = "/invitations", tag = "users", request_body = Input<InvitationInput>,
    responses((status = 201, body = Document<Resource<InvitationAttributes>>)))]
async fn invite(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<InvitationInput>,
) -> ApiResult<Created<Resource<InvitationAttributes>>> {
    let (email, role) = input.attributes.checked()?;
    let (link, url) = service::invite(&app, &ctx, email, role).await?;
    Ok(Created(Document::of(resource(&link, Some(&url)))))
}

/// Takes an invitation back.
#[utoipa::path(delete, path = "/invitations/{invitation_id}", tag = "users",
    params(("invitation_id" = String, Path)), responses((status = 204)))]
async fn revoke(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    let id: UserLinkId = id.parse().map_err(|_| ApiError::not_found())?;
    service::revoke(&app, &ctx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a link with which a member gives themselves a new password; earlier ones stop working.
#[utoipa::path(post, path = "/users/{user_id}/password-link", tag = "users",
    params(("user_id" = String, Path)),
    responses((status = 201, body = Document<Resource<PasswordLinkAttributes>>), (status = 409)))]
async fn reset_link(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Created<Resource<PasswordLinkAttributes>>> {
    let id = id.parse().map_err(|_| ApiError::not_found())?;
    let (url, expires_at) = service::reset_link(&app, &ctx, &id).await?;
    let attributes = PasswordLinkAttributes {
        url: url.expose().clone(),
        expires_at,
    };
    Ok(Created(Document::of(Resource::new(
        "password-links",
        &id,
        attributes,
    ))))
}
