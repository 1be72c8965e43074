//! Signing.

use chrono::TimeDelta;
use domain::Secret;
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use super::claims::{Claims, RunFacts};
use super::error::RunIdentityError;
use super::{api, keys, store};
use crate::app::App;
use crate::context::Tenant;

/// No token lives longer, however long a run may take.
pub(super) const LONGEST: TimeDelta = TimeDelta::hours(24);

/// Signs what the facts say, for one audience. It is good for as long as the job may take, a day at
/// the most: an apply must not lose its access on the way, and nobody renews it.
///
/// # Errors
/// [`RunIdentityError::NotFound`] for an account without a key: see [`keys::ensure_key`].
pub async fn issue(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    facts: &RunFacts,
    audience: &str,
) -> Result<Secret, RunIdentityError> {
    let now = app.clock.now();
    let key = store::signing(conn, tenant, now)
        .await?
        .ok_or(RunIdentityError::NotFound)?;
    let private = app
        .keys
        .open(conn, tenant, &keys::place(&key.id), &key.sealed_key)
        .await?;
    let life = TimeDelta::seconds(app.installation.timing.run_timeout.into()).min(LONGEST);
    let issuer = api::issuer(app, tenant.account());
    let claims = Claims::new(facts, issuer, audience, now, now + life);
    let header = Header {
        kid: Some(key.id.to_string()),
        ..Header::new(Algorithm::RS256)
    };
    let signer = EncodingKey::from_rsa_der(private.expose());
    jsonwebtoken::encode(&header, &claims, &signer)
        .map(Secret::new)
        .map_err(RunIdentityError::Sign)
}
