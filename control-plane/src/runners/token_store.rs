//! SQL of join tokens.

use db::Conn;
use domain::ids::{AccountId, RunnerPoolId, TokenId};

use super::model::JoinTokenRow;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT id, pool_id, description, single_use, created_at, expires_at, used_at,
        last_six, created_by
    FROM join_tokens ";

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    token: &JoinTokenRow,
    hash: &str,
) -> Result<()> {
    conn.query(
        "INSERT INTO join_tokens (id, account_id, pool_id, hash, description, single_use,
            created_at, expires_at, last_six, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&token.id)
    .bind(tenant.account())
    .bind(&token.pool_id)
    .bind(hash)
    .bind(&token.description)
    .bind(token.single_use)
    .bind(token.created_at)
    .bind(token.expires_at)
    .bind(&token.last_six)
    .bind(&token.created_by)
    .execute()
    .await?;
    Ok(())
}

/// Uses a join token: a single-use one is used up by it.
pub(super) async fn consume(
    conn: &mut Conn,
    hash: &str,
    now: Timestamp,
) -> Result<Option<(AccountId, RunnerPoolId)>> {
    conn.query(
        "UPDATE join_tokens SET used_at = $2
         WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
            AND (NOT single_use OR used_at IS NULL)
         RETURNING account_id, pool_id",
    )
    .bind(hash)
    .bind(now)
    .fetch_optional()
    .await
}

/// Whose token this is or was: for the record of an attempt to use it.
pub(super) async fn owner(
    conn: &mut Conn,
    hash: &str,
) -> Result<Option<(AccountId, RunnerPoolId, TokenId)>> {
    conn.query("SELECT account_id, pool_id, id FROM join_tokens WHERE hash = $1")
        .bind(hash)
        .fetch_optional()
        .await
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &TokenId,
) -> Result<Option<JoinTokenRow>> {
    conn.build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND revoked_at IS NULL AND id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    pool: &RunnerPoolId,
    page: Page,
) -> Result<Paged<JoinTokenRow>> {
    let total = conn
        .query(
            "SELECT COUNT(*) FROM join_tokens
             WHERE account_id = $1 AND pool_id = $2 AND revoked_at IS NULL",
        )
        .bind(tenant.account())
        .bind(pool)
        .fetch_scalar()
        .await?;
    let items = conn
        .build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND revoked_at IS NULL AND pool_id = ")
        .bind(pool)
        .push(" ORDER BY created_at DESC, id LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    Ok(Paged { items, total })
}

pub(super) async fn revoke(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &TokenId,
    now: Timestamp,
) -> Result<()> {
    conn.query("UPDATE join_tokens SET revoked_at = $3 WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}
