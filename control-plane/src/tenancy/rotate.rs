//! Rotating keys, while control planes serve.
//!
//! A new data key seals whatever is written from now on; what earlier keys have sealed stays as it
//! is, and stays readable. Moving under a new installation key touches wrapped keys and the
//! installation's own secrets only, each in a transaction of its own: a rotation that dies has lost
//! nothing and goes on where it was.

use domain::permission::Permission;
use serde_json::json;

use super::error::TenancyError;
use super::{key_store, store};
use crate::app::App;
use crate::audit;
use crate::context::{Actor, Context};
use crate::iam::{Target, authorize};
use crate::problem::Fault;

/// Gives every account, or the one with this name, a new data key; tells how many.
///
/// # Errors
/// The database's own.
pub async fn rotate_account_keys(app: &App, name: Option<&str>) -> Result<u64, TenancyError> {
    let mut conn = app.db.acquire().await?;
    let mut accounts = store::accounts(&mut conn).await?;
    drop(conn);
    accounts.retain(|account| name.is_none_or(|name| account.name == name));
    for account in &accounts {
        let ctx = Context::new(Actor::system(&account.id, "operator"), app.clock.clone());
        let target = Target::new("accounts", &account.id);
        let proof = authorize(&ctx, Permission::AccountsRotateKeys, target)?;
        let mut tx = app.db.begin().await?;
        // The key configured here must be the one that the control planes have.
        app.keys.sealing_key(&mut tx, &ctx.tenant()).await?;
        let key = app.keys.create_key(&mut tx, &account.id, ctx.now()).await?;
        let detail = json!({ "key": key });
        audit::record(&mut tx, &ctx, &proof, "account.rotate-keys", detail).await?;
        tx.commit().await?;
    }
    Ok(accounts.len() as u64)
}

/// Moves all keys and secrets that an earlier installation key has wrapped under the one that is
/// configured now; tells how many.
///
/// # Errors
/// The database's own, or the vault's when a key was wrapped by none of the configured ones.
pub async fn rewrap_keys(app: &App) -> Result<u64, TenancyError> {
    let ring = app.keys.installation();
    let mut conn = app.db.acquire().await?;
    let keys = key_store::all_keys(&mut conn).await?;
    let secrets = key_store::installation_secrets(&mut conn).await?;
    drop(conn);
    let mut moved = 0;
    for key in keys {
        let id = key
            .id
            .parse()
            .map_err(|_| Fault::Unreadable { what: "a key's id" })?;
        let wrapped = ring.rewrap(key.account_id.as_str(), id, &key.wrapped);
        let Some(wrapped) = wrapped.map_err(Fault::from)? else {
            continue;
        };
        let mut tx = app.db.begin().await?;
        moved += key_store::rewrap_key(&mut tx, &key, &wrapped).await?;
        tx.commit().await?;
    }
    for secret in secrets {
        let context = super::keys::installation_context(&secret.name);
        let sealed = ring.reseal(&context, &secret.sealed);
        let Some(sealed) = sealed.map_err(Fault::from)? else {
            continue;
        };
        let mut tx = app.db.begin().await?;
        moved += key_store::reseal_installation_secret(&mut tx, &secret, &sealed).await?;
        tx.commit().await?;
    }
    Ok(moved)
}
