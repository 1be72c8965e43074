//! Rows of signing keys. Every function takes the tenant first, but for those of the reconciler.

use db::{Conn, Json};
use domain::ids::{AccountId, IdentityKeyId};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Key {
    pub id: IdentityKeyId,
    pub sealed_key: Vec<u8>,
    #[sqlx(json)]
    pub public_key: Value,
    pub created_at: Timestamp,
    pub signs_from: Timestamp,
    pub retired_at: Option<Timestamp>,
}

const SELECT: &str = "SELECT id, sealed_key, public_key, created_at, signs_from, retired_at
    FROM identity_keys WHERE account_id = ";

/// Every key of an account, the youngest first.
pub(super) async fn list(conn: &mut Conn, tenant: &Tenant) -> Result<Vec<Key>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" ORDER BY signs_from DESC, id DESC")
        .finish()
        .fetch_all()
        .await
}

/// The key that signs now.
pub(super) async fn signing(
    conn: &mut Conn,
    tenant: &Tenant,
    now: Timestamp,
) -> Result<Option<Key>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND retired_at IS NULL AND signs_from <= ")
        .bind(now)
        .push(" ORDER BY signs_from DESC, id DESC LIMIT 1")
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn insert(conn: &mut Conn, tenant: &Tenant, key: &Key) -> Result<()> {
    conn.query(
        "INSERT INTO identity_keys (id, account_id, sealed_key, public_key, created_at, signs_from)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&key.id)
    .bind(tenant.account())
    .bind(&key.sealed_key)
    .bind(Json(&key.public_key))
    .bind(key.created_at)
    .bind(key.signs_from)
    .execute()
    .await?;
    Ok(())
}

/// Takes every older key than the one that signs now out of use; it stays published until `until`.
pub(super) async fn retire_older(
    conn: &mut Conn,
    tenant: &Tenant,
    than: &Key,
    until: Timestamp,
) -> Result<u64> {
    conn.query(
        "UPDATE identity_keys SET retired_at = $3
         WHERE account_id = $1 AND retired_at IS NULL AND signs_from < $2",
    )
    .bind(tenant.account())
    .bind(than.signs_from)
    .bind(until)
    .execute()
    .await
}

/// Deletes every key but this one, at once.
pub(super) async fn delete_others(
    conn: &mut Conn,
    tenant: &Tenant,
    but: &IdentityKeyId,
) -> Result<u64> {
    conn.query("DELETE FROM identity_keys WHERE account_id = $1 AND id <> $2")
        .bind(tenant.account())
        .bind(but)
        .execute()
        .await
}

/// Deletes, of all accounts, what is no longer published.
pub(super) async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<u64> {
    conn.query("DELETE FROM identity_keys WHERE retired_at < $1")
        .bind(now)
        .execute()
        .await
}

/// Accounts that have keys.
pub(super) async fn accounts(conn: &mut Conn) -> Result<Vec<AccountId>> {
    let rows: Vec<(AccountId,)> = conn
        .query("SELECT DISTINCT account_id FROM identity_keys ORDER BY account_id")
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
