//! Who provisions: the bearer of a provider's token.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use chrono::TimeDelta;
use http::header;
use http::request::Parts;

use super::error::ScimError;
use super::token_store;
use crate::app::App;
use crate::context::{Actor, Context, Origin, Tenant};
use crate::iam::identity::{self, Provider};
use crate::iam::{hash_token, is_well_formed};

/// How exact "last used" is.
const LAST_USED_STEP: TimeDelta = TimeDelta::minutes(5);

/// A provisioning client, and whose people it provisions.
pub(super) struct Caller {
    pub provider: Provider,
    /// The control plane itself, in the provider's account, by the client's word.
    pub ctx: Context,
}

impl Caller {
    pub(super) fn tenant(&self) -> Tenant {
        self.ctx.tenant()
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ScimError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ScimError> {
        let Ok(origin) = Origin::from_request_parts(parts, app).await;
        let params = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|_| ScimError::NotFound)?;
        let named = params
            .iter()
            .find(|(name, _)| *name == "identity_provider_id")
            .map(|(_, value)| value.to_owned());
        let header = parts.headers.get(header::AUTHORIZATION);
        let token = header
            .and_then(|it| it.to_str().ok())
            .and_then(|it| it.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim().to_owned())
            .filter(|token| is_well_formed(token))
            .ok_or(ScimError::Unauthenticated)?;
        let mut conn = app.db.acquire().await?;
        let found = token_store::by_hash(&mut conn, &hash_token(&token))
            .await?
            // A token of one provider says nothing of another's people.
            .filter(|it| Some(it.provider_id.as_str()) == named.as_deref())
            .ok_or(ScimError::Unauthenticated)?;
        let provider = identity::speak_to(&mut conn, &found.provider_id)
            .await?
            .ok_or(ScimError::Unauthenticated)?;
        drop(conn);
        let now = app.clock.now();
        if found
            .last_used_at
            .is_none_or(|at| now - at > LAST_USED_STEP)
        {
            let mut tx = app.db.begin().await?;
            token_store::touch(&mut tx, &found.provider_id, now).await?;
            tx.commit().await?;
        }
        let name = format!("provisioning: {}", provider.name);
        let actor = Actor {
            token_last_six: Some(found.last_six),
            ..Actor::system(&provider.account_id, &name)
        };
        let ctx = Context::from_origin(actor, &origin, app.clock.clone());
        Ok(Self { provider, ctx })
    }
}
