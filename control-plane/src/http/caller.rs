//! Who calls: the bearer token of a request becomes a [`Context`].

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use domain::ids::RequestId;
use http::header;
use http::request::Parts;

use super::error::ApiError;
use crate::app::App;
use crate::context::Actor;
use crate::context::{Context, Origin};
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

/// A caller of this same process, already known: what a job asks through its runner. It can't come
/// from outside, because no request brings extensions along.
#[derive(Debug, Clone)]
pub struct InProcessActor(pub Actor);

/// The address the connection came from.
fn source_address(parts: &Parts) -> Option<IpAddr> {
    parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip())
}

fn origin(parts: &Parts) -> Origin {
    let request_id = parts.extensions.get::<RequestId>().cloned();
    Origin {
        request_id: request_id.unwrap_or_else(RequestId::random),
        source_address: source_address(parts),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(origin(parts))
    }
}

impl FromRequestParts<Arc<App>> for Context {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &Arc<App>,
    ) -> Result<Self, Self::Rejection> {
        let actor = match parts.extensions.get::<InProcessActor>() {
            Some(InProcessActor(actor)) => actor.clone(),
            None => {
                let token = bearer(parts).ok_or_else(unauthenticated)?;
                iam::authenticate(app, token, source_address(parts))
                    .await?
                    .ok_or_else(unauthenticated)?
            }
        };
        let ctx = Self::from_origin(actor, &origin(parts), app.clock.clone());
        if let Some(slot) = parts.extensions.get::<super::headers::CallerSlot>() {
            slot.fill(ctx.clone());
        }
        Ok(ctx)
    }
}
