//! Who calls: the bearer token of a request becomes a [`Context`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use http::header;
use http::request::Parts;

use super::error::ApiError;
use crate::app::App;
use crate::context::Context;
use crate::iam;
use crate::problem::Kind;

/// The answer to a request whose token is missing, unknown, expired or revoked.
fn unauthenticated() -> ApiError {
    ApiError::new(
        Kind::Unauthenticated,
        "access.unauthenticated",
        "a valid API token is needed: run `terraform login`, or send `Authorization: Bearer TOKEN`",
    )
}

fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The address the connection came from.
pub(super) fn source_address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
}

impl FromRequestParts<Arc<App>> for Context {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &Arc<App>,
    ) -> Result<Self, Self::Rejection> {
        let token = bearer(parts).ok_or_else(unauthenticated)?;
        let actor = iam::authenticate(app, token).await?.ok_or_else(unauthenticated)?;
        let mut ctx = Self::new(actor, app.clock.clone());
        if let Some(id) = parts.extensions.get::<domain::ids::RequestId>() {
            ctx.request_id = id.clone();
        }
        ctx.source_address = source_address(parts);
        if let Some(slot) = parts.extensions.get::<super::headers::CallerSlot>() {
            slot.fill(ctx.clone());
        }
        Ok(ctx)
    }
}
