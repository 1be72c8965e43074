//! SQL of who somebody is to a provider. Every function takes the tenant first.

use db::{Conn, Json};
use domain::ids::{ExternalIdentityId, IdentityProviderId, UserId};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

/// Somebody as a provider knows them.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Identity {
    pub id: ExternalIdentityId,
    pub user_id: UserId,
    pub suspended_at: Option<Timestamp>,
}

const SELECT: &str = "SELECT i.id, i.user_id, m.suspended_at FROM external_identities i
    JOIN memberships m ON m.account_id = i.account_id AND m.user_id = i.user_id ";

pub(super) async fn by_subject(
    conn: &mut Conn,
    tenant: &Tenant,
    provider: &IdentityProviderId,
    subject: &str,
) -> Result<Option<Identity>> {
    conn.build(SELECT)
        .push("WHERE i.account_id = ")
        .bind(tenant.account())
        .push(" AND i.provider_id = ")
        .bind(provider)
        .push(" AND i.subject = ")
        .bind(subject)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn by_user(
    conn: &mut Conn,
    tenant: &Tenant,
    provider: &IdentityProviderId,
    user: &UserId,
) -> Result<Option<Identity>> {
    conn.build(SELECT)
        .push("WHERE i.account_id = ")
        .bind(tenant.account())
        .push(" AND i.provider_id = ")
        .bind(provider)
        .push(" AND i.user_id = ")
        .bind(user)
        .finish()
        .fetch_optional()
        .await
}

/// What a provider says of somebody.
pub(super) struct Said<'a> {
    pub subject: &'a str,
    pub user_name: &'a str,
    pub email: &'a str,
    pub display_name: &'a str,
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    provider: &IdentityProviderId,
    user: &UserId,
    said: &Said<'_>,
    now: Timestamp,
) -> Result<ExternalIdentityId> {
    let id = ExternalIdentityId::random();
    conn.query(
        "INSERT INTO external_identities (id, account_id, provider_id, subject, user_id, user_name,
            folded_name, email, display_name, provisioned, detail, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)",
    )
    .bind(&id)
    .bind(tenant.account())
    .bind(provider)
    .bind(said.subject)
    .bind(user)
    .bind(said.user_name)
    .bind(said.user_name.to_lowercase())
    .bind(said.email)
    .bind(said.display_name)
    .bind(false)
    .bind(Json(Value::Object(serde_json::Map::new())))
    .bind(now)
    .execute()
    .await?;
    Ok(id)
}

/// Notes a sign-in. What a provisioning client has said of somebody stays as it is.
pub(super) async fn note_sign_in(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ExternalIdentityId,
    said: &Said<'_>,
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "UPDATE external_identities SET last_sign_in_at = $3 WHERE account_id = $1 AND id = $2",
    )
    .bind(tenant.account())
    .bind(id)
    .bind(now)
    .execute()
    .await?;
    conn.query(
        "UPDATE external_identities SET user_name = $3, folded_name = $4, email = $5,
            display_name = $6, updated_at = $7
         WHERE account_id = $1 AND id = $2 AND NOT provisioned",
    )
    .bind(tenant.account())
    .bind(id)
    .bind(said.user_name)
    .bind(said.user_name.to_lowercase())
    .bind(said.email)
    .bind(said.display_name)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Whether anybody in the installation has this name: user names are unique in it.
pub(super) async fn is_name_taken(conn: &mut Conn, username: &str) -> Result<bool> {
    let count: i64 = conn
        .query("SELECT COUNT(*) FROM users WHERE username = $1")
        .bind(username.to_owned())
        .fetch_scalar()
        .await?;
    Ok(count > 0)
}
