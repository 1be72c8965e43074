//! SQL of identity providers. Every function takes the tenant first, but for the two that a sign-in
//! begins with.

use db::{Conn, Json};
use domain::ids::{AccountId, IdentityProviderId, UserId};

use super::model::{Provider, Settings};
use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT id, account_id, name, settings, enabled, create_users,
        CASE WHEN sealed_secret IS NULL THEN 0 ELSE 1 END AS secrets,
        verified_at, verified_by, version, created_at, updated_at
    FROM identity_providers ";

#[derive(sqlx::FromRow)]
struct Row {
    id: IdentityProviderId,
    account_id: AccountId,
    name: String,
    settings: Json<Settings>,
    enabled: bool,
    create_users: bool,
    secrets: i32,
    verified_at: Option<Timestamp>,
    verified_by: Option<UserId>,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Row> for Provider {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            account_id: row.account_id,
            name: row.name,
            settings: row.settings.0,
            enabled: row.enabled,
            create_users: row.create_users,
            has_secret: row.secrets > 0,
            verified_at: row.verified_at,
            verified_by: row.verified_by,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &IdentityProviderId,
) -> Result<Option<Provider>> {
    let row: Option<Row> = conn
        .build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await?;
    Ok(row.map(Into::into))
}

/// By its id alone: a browser that comes to sign in has no tenant yet.
pub(super) async fn find_enabled(
    conn: &mut Conn,
    id: &IdentityProviderId,
) -> Result<Option<Provider>> {
    let row: Option<Row> = conn
        .build(SELECT)
        .push("WHERE enabled AND id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await?;
    Ok(row.map(Into::into))
}

pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    enabled_only: bool,
) -> Result<Vec<Provider>> {
    let query = conn
        .build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account());
    let query = if enabled_only {
        query.push(" AND enabled")
    } else {
        query
    };
    let rows: Vec<Row> = query
        .push(" ORDER BY name, id")
        .finish()
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) async fn count(conn: &mut Conn, tenant: &Tenant) -> Result<i64> {
    conn.query("SELECT COUNT(*) FROM identity_providers WHERE account_id = $1")
        .bind(tenant.account())
        .fetch_scalar()
        .await
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    provider: &Provider,
    sealed_secret: Option<Vec<u8>>,
) -> Result<()> {
    conn.query(
        "INSERT INTO identity_providers (id, account_id, name, kind, settings, sealed_secret,
            enabled, create_users, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
    )
    .bind(&provider.id)
    .bind(tenant.account())
    .bind(&provider.name)
    .bind(provider.settings.kind())
    .bind(Json(&provider.settings))
    .bind(sealed_secret)
    .bind(provider.enabled)
    .bind(provider.create_users)
    .bind(provider.version)
    .bind(provider.created_at)
    .execute()
    .await?;
    Ok(())
}

/// Whether the row still had the version that the change was made from.
pub(super) async fn update(conn: &mut Conn, tenant: &Tenant, provider: &Provider) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE identity_providers SET name = $3, settings = $4, enabled = $5,
                create_users = $6, verified_at = $7, verified_by = $8, updated_at = $9,
                version = version + 1
             WHERE account_id = $1 AND id = $2 AND version = $10",
        )
        .bind(tenant.account())
        .bind(&provider.id)
        .bind(&provider.name)
        .bind(Json(&provider.settings))
        .bind(provider.enabled)
        .bind(provider.create_users)
        .bind(provider.verified_at)
        .bind(&provider.verified_by)
        .bind(provider.updated_at)
        .bind(provider.version)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn set_secret(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &IdentityProviderId,
    sealed: Option<Vec<u8>>,
) -> Result<()> {
    conn.query(
        "UPDATE identity_providers SET sealed_secret = $3 WHERE account_id = $1 AND id = $2",
    )
    .bind(tenant.account())
    .bind(id)
    .bind(sealed)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn sealed_secret(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &IdentityProviderId,
) -> Result<Option<Vec<u8>>> {
    let row: Option<(Option<Vec<u8>>,)> = conn
        .query("SELECT sealed_secret FROM identity_providers WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .fetch_optional()
        .await?;
    Ok(row.and_then(|(sealed,)| sealed))
}

/// Ends the sessions that the provider has opened.
pub(super) async fn end_sessions(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &IdentityProviderId,
) -> Result<()> {
    conn.query("DELETE FROM sessions WHERE account_id = $1 AND provider_id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn delete(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &IdentityProviderId,
) -> Result<()> {
    end_sessions(conn, tenant, id).await?;
    conn.query("DELETE FROM identity_providers WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}
