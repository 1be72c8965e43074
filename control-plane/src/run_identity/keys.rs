//! Keys: made when they are first needed, replaced long before anybody could tire of them, published
//! a day before they sign and for as long as a token of theirs may live.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use domain::Secret;
use domain::ids::IdentityKeyId;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use rsa::{PrivateKey, PublicKey};
use serde_json::{Value, json};

use super::error::RunIdentityError;
use super::store::{self, Key};
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::tenancy::SealedPlace;

type Result<T> = std::result::Result<T, RunIdentityError>;

/// What every cloud accepts: Azure takes nothing but RS256.
const BITS: usize = 2048;
/// How long a key signs.
const LIFE: TimeDelta = TimeDelta::days(90);
/// How long before that its successor is published: who verifies keeps keys for a day at the most.
const AHEAD: TimeDelta = TimeDelta::days(2);
/// How long a key is published after it has signed last: longer than a token may live.
const AFTERWARDS: TimeDelta = TimeDelta::hours(50);

pub(super) fn place(id: &IdentityKeyId) -> SealedPlace {
    SealedPlace::new("identity-key", id)
}

/// A new key, not stored yet: private (PKCS #1, DER) and public (JWK).
pub(super) struct Pair {
    id: IdentityKeyId,
    private: Secret<Vec<u8>>,
    public: Value,
}

/// Takes some hundred milliseconds of processor time: not inside a transaction.
pub(super) async fn generate() -> Result<Pair> {
    tokio::task::spawn_blocking(|| {
        let unusable = |error: &dyn std::error::Error| RunIdentityError::Key(error.to_string());
        let private = PrivateKey::new(&mut rand::rng(), BITS).map_err(|error| unusable(&error))?;
        let der = private.to_pkcs1_der().map_err(|error| unusable(&error))?;
        let id = IdentityKeyId::random();
        let public = jwk(&id, &private.to_public_key());
        Ok(Pair {
            id,
            private: Secret::new(der.as_bytes().to_vec()),
            public,
        })
    })
    .await
    .map_err(|error| RunIdentityError::Key(error.to_string()))?
}

/// RFC 7517 and 7518.
fn jwk(id: &IdentityKeyId, key: &PublicKey) -> Value {
    json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
        "n": URL_SAFE_NO_PAD.encode(key.n().to_be_bytes_trimmed_vartime()),
        "e": URL_SAFE_NO_PAD.encode(key.e().to_be_bytes_trimmed_vartime()),
    })
}

async fn keep(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    pair: Pair,
    signs_from: Timestamp,
) -> Result<Key> {
    let private = pair.private.expose();
    let key = Key {
        sealed_key: app.keys.seal(tx, tenant, &place(&pair.id), private).await?,
        id: pair.id,
        public_key: pair.public,
        created_at: app.clock.now(),
        signs_from,
        retired_at: None,
    };
    store::insert(tx, tenant, &key).await?;
    Ok(key)
}

/// Makes the account an issuer, if it isn't one yet. Not inside a transaction, as [`generate`].
///
/// # Errors
/// The database's or the vault's own.
pub async fn ensure_key(app: &App, tenant: &Tenant) -> Result<()> {
    let now = app.clock.now();
    let mut conn = app.db.acquire().await?;
    if store::signing(&mut conn, tenant, now).await?.is_some() {
        return Ok(());
    }
    drop(conn);
    let pair = generate().await?;
    let mut tx = app.db.begin().await?;
    tx.lock_row("accounts", tenant.account()).await?;
    if store::signing(&mut tx, tenant, now).await?.is_none() {
        keep(app, &mut tx, tenant, pair, now).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Replaces the account's keys at once: what they have signed is worth nothing from now on, as soon
/// as those who verify have fetched the keys again.
pub(super) async fn replace(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    pair: Pair,
) -> Result<Key> {
    tx.lock_row("accounts", tenant.account()).await?;
    let key = keep(app, tx, tenant, pair, app.clock.now()).await?;
    store::delete_others(tx, tenant, &key.id).await?;
    Ok(key)
}

/// Makes successors of keys that are about to have signed for long enough, and forgets those that
/// nobody needs to verify anything with. The pass of a reconciler.
///
/// # Errors
/// The database's or the vault's own.
pub async fn rotate_due(app: &App) -> Result<()> {
    let now = app.clock.now();
    let mut conn = app.db.acquire().await?;
    let accounts = store::accounts(&mut conn).await?;
    drop(conn);
    for account in accounts {
        rotate(app, &Tenant::of_row(&account), now).await?;
    }
    let mut tx = app.db.begin().await?;
    store::sweep(&mut tx, now).await?;
    tx.commit().await?;
    Ok(())
}

async fn rotate(app: &App, tenant: &Tenant, now: Timestamp) -> Result<()> {
    let due = |keys: &[Key]| {
        keys.first()
            .is_some_and(|youngest| youngest.signs_from + LIFE - AHEAD <= now)
    };
    let mut conn = app.db.acquire().await?;
    let keys = store::list(&mut conn, tenant).await?;
    drop(conn);
    let pair = if due(&keys) {
        Some(generate().await?)
    } else {
        None
    };
    let mut tx = app.db.begin().await?;
    tx.lock_row("accounts", tenant.account()).await?;
    if let Some(pair) = pair
        && due(&store::list(&mut tx, tenant).await?)
    {
        let key = keep(app, &mut tx, tenant, pair, now + AHEAD).await?;
        tracing::info!(account = %tenant.account(), key = %key.id,
            "a new key for the identity of runs is published");
    }
    if let Some(signing) = store::signing(&mut tx, tenant, now).await? {
        store::retire_older(&mut tx, tenant, &signing, now + AFTERWARDS).await?;
    }
    tx.commit().await?;
    Ok(())
}
