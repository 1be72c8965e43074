//! Rows of keys, and of the installation's own secrets.

use db::Conn;
use domain::ids::AccountId;

use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

/// A data key as stored: wrapped by the installation key.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct WrappedKey {
    pub id: String,
    pub wrapped: Vec<u8>,
}

pub(super) async fn insert_key(
    conn: &mut Conn,
    account: &AccountId,
    id: &str,
    wrapped: &[u8],
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "INSERT INTO account_keys (id, account_id, wrapped, created_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(id)
    .bind(account)
    .bind(wrapped.to_vec())
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn key(conn: &mut Conn, tenant: &Tenant, id: &str) -> Result<Option<WrappedKey>> {
    conn.query("SELECT id, wrapped FROM account_keys WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .fetch_optional()
        .await
}

/// A data key with the account that it belongs to.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct AccountKey {
    pub id: String,
    pub account_id: AccountId,
    pub wrapped: Vec<u8>,
}

/// The data keys of all accounts.
pub(super) async fn all_keys(conn: &mut Conn) -> Result<Vec<AccountKey>> {
    conn.query("SELECT id, account_id, wrapped FROM account_keys ORDER BY id")
        .fetch_all()
        .await
}

/// Replaces the wrapping, unless somebody else has meanwhile.
pub(super) async fn rewrap_key(conn: &mut Conn, key: &AccountKey, wrapped: &[u8]) -> Result<u64> {
    conn.query(
        "UPDATE account_keys SET wrapped = $4 WHERE account_id = $1 AND id = $2 AND wrapped = $3",
    )
    .bind(&key.account_id)
    .bind(&key.id)
    .bind(&key.wrapped)
    .bind(wrapped.to_vec())
    .execute()
    .await
}

/// The key that seals today.
pub(super) async fn newest_key(conn: &mut Conn, tenant: &Tenant) -> Result<Option<WrappedKey>> {
    conn.query(
        "SELECT id, wrapped FROM account_keys WHERE account_id = $1 AND retired_at IS NULL
         ORDER BY created_at DESC, id LIMIT 1",
    )
    .bind(tenant.account())
    .fetch_optional()
    .await
}

/// A journal key pair as stored: its private half sealed under the account's key.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct StoredJournalKey {
    pub id: String,
    pub public_key: Vec<u8>,
    pub sealed_private: Vec<u8>,
}

pub(super) async fn insert_journal_key(
    conn: &mut Conn,
    tenant: &Tenant,
    key: &StoredJournalKey,
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "INSERT INTO journal_keys (id, account_id, public_key, sealed_private, created_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&key.id)
    .bind(tenant.account())
    .bind(key.public_key.clone())
    .bind(key.sealed_private.clone())
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn journal_key(
    conn: &mut Conn,
    tenant: &Tenant,
    id: Option<&str>,
) -> Result<Option<StoredJournalKey>> {
    conn.build("SELECT id, public_key, sealed_private FROM journal_keys WHERE account_id = ")
        .bind(tenant.account())
        .push_if(" AND id = ", id)
        .push(" ORDER BY created_at DESC, id LIMIT 1")
        .finish()
        .fetch_optional()
        .await
}

/// A secret of the installation, sealed under its key.
pub(super) async fn installation_secret(conn: &mut Conn, name: &str) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = conn
        .query("SELECT sealed FROM installation_secrets WHERE name = $1")
        .bind(name)
        .fetch_optional()
        .await?;
    Ok(row.map(|(sealed,)| sealed))
}

/// A secret of the installation as stored.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct InstallationSecret {
    pub name: String,
    pub sealed: Vec<u8>,
}

pub(super) async fn installation_secrets(conn: &mut Conn) -> Result<Vec<InstallationSecret>> {
    conn.query("SELECT name, sealed FROM installation_secrets ORDER BY name")
        .fetch_all()
        .await
}

/// Replaces the sealing, unless somebody else has meanwhile.
pub(super) async fn reseal_installation_secret(
    conn: &mut Conn,
    secret: &InstallationSecret,
    sealed: &[u8],
) -> Result<u64> {
    conn.query("UPDATE installation_secrets SET sealed = $3 WHERE name = $1 AND sealed = $2")
        .bind(&secret.name)
        .bind(&secret.sealed)
        .bind(sealed.to_vec())
        .execute()
        .await
}

/// Keeps the first value written for `name`.
pub(super) async fn insert_installation_secret(
    conn: &mut Conn,
    name: &str,
    sealed: &[u8],
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "INSERT INTO installation_secrets (name, sealed, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(name)
    .bind(sealed.to_vec())
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn delete_installation_secret(conn: &mut Conn, name: &str) -> Result<()> {
    conn.query("DELETE FROM installation_secrets WHERE name = $1")
        .bind(name)
        .execute()
        .await?;
    Ok(())
}
