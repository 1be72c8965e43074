//! The test sign-in of a provider: a link for whoever manages it, used once.
//!
//! It proves that the provider answers and says who somebody is, before anybody depends on it. In a
//! browser that is signed in as the one who asked for the link, it also ties the two together, so
//! that they are not locked out of their own user by what they enforce.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use domain::Secret;
use domain::ids::{IdentityProviderId, UserId, UserLinkId};
use domain::permission::Permission;
use serde_json::json;

use super::error::IdentityError;
use super::model::Provider;
use super::service::load;
use super::store;
use crate::app::App;
use crate::audit;
use crate::clock::Timestamp;
use crate::context::{Context, Tenant};
use crate::iam::{Target, authorize, hash_token};

type Result<T> = std::result::Result<T, IdentityError>;

const LIFETIME: TimeDelta = TimeDelta::minutes(15);

/// Whom a link was made for.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Ticket {
    pub user_id: UserId,
    pub provider_id: IdentityProviderId,
    pub expires_at: Timestamp,
}

/// A link that starts a test sign-in of the provider; it lives a quarter of an hour.
pub(super) async fn begin(
    app: &App,
    ctx: &Context,
    id: &IdentityProviderId,
) -> Result<(Secret, Timestamp)> {
    let mut tx = app.db.begin().await?;
    let (provider, proof) = load(&mut tx, ctx, id, Permission::IdentityProvidersManage).await?;
    if !provider.enabled {
        return Err(IdentityError::invalid(
            "enabled",
            "the provider is disabled; enable it first",
        ));
    }
    let user = ctx.actor.user().ok_or(IdentityError::NotFound)?;
    let text = Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    let (now, expires_at) = (ctx.now(), ctx.now() + LIFETIME);
    tx.query("DELETE FROM user_links WHERE expires_at < $1 AND kind = 'verify'")
        .bind(now)
        .execute()
        .await?;
    tx.query(
        "INSERT INTO user_links (id, account_id, kind, hash, user_id, provider_id, email,
            created_by, created_at, expires_at)
         VALUES ($1, $2, 'verify', $3, $4, $5, '', $6, $7, $8)",
    )
    .bind(UserLinkId::random())
    .bind(ctx.tenant().account())
    .bind(hash_token(text.expose()))
    .bind(&user)
    .bind(id)
    .bind(&ctx.actor.id)
    .bind(now)
    .bind(expires_at)
    .execute()
    .await?;
    let detail = json!({ "name": provider.name });
    audit::record(&mut tx, ctx, &proof, "identity-provider.begin-test", detail).await?;
    tx.commit().await?;
    Ok((text, expires_at))
}

/// Takes a link out of the table: it can't be used again.
///
/// # Errors
/// The database's own.
pub(in crate::iam) async fn redeem(
    tx: &mut db::Tx,
    provider: &Provider,
    hash: &str,
    now: Timestamp,
) -> std::result::Result<Option<Ticket>, db::Error> {
    let found: Option<Ticket> = tx
        .query(
            "DELETE FROM user_links WHERE hash = $1 AND kind = 'verify' AND account_id = $2
             RETURNING user_id, provider_id, expires_at",
        )
        .bind(hash.to_owned())
        .bind(&provider.account_id)
        .fetch_optional()
        .await?;
    Ok(found.filter(|it| it.expires_at > now && it.provider_id == provider.id))
}

/// Notes that the test sign-in has come to its end. `ctx`: the one who asked for it.
///
/// # Errors
/// [`IdentityError::Denied`] if they may not manage providers any more.
pub(in crate::iam) async fn complete(
    tx: &mut db::Tx,
    ctx: &Context,
    provider: &Provider,
    user: &UserId,
    linked: bool,
) -> Result<()> {
    let target = Target::new("identity-providers", &provider.id);
    let proof = authorize(ctx, Permission::IdentityProvidersManage, target)?;
    let tenant = Tenant::of_row(&provider.account_id);
    let now = ctx.now();
    let verified = Provider {
        verified_at: Some(now),
        verified_by: Some(user.clone()),
        updated_at: now,
        ..provider.clone()
    };
    // Somebody has changed it while it was being tested: what was tested is not what there is.
    if !store::update(tx, &tenant, &verified).await? {
        return Err(IdentityError::NotFound);
    }
    let detail = json!({ "name": provider.name, "linked": linked });
    Ok(audit::record(tx, ctx, &proof, "identity-provider.verify", detail).await?)
}
