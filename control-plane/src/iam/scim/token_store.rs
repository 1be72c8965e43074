//! SQL of provisioning tokens. A token is looked up before there is a tenant.

use db::Conn;
use domain::ids::IdentityProviderId;

use crate::clock::Timestamp;
use crate::context::{Context, Tenant};
use crate::iam::TokenText;

type Result<T> = std::result::Result<T, db::Error>;

#[derive(Debug, sqlx::FromRow)]
pub(super) struct Known {
    pub provider_id: IdentityProviderId,
    pub last_six: String,
    pub last_used_at: Option<Timestamp>,
}

pub(super) async fn by_hash(conn: &mut Conn, hash: &str) -> Result<Option<Known>> {
    conn.query(
        "SELECT provider_id, last_six, last_used_at FROM provisioning_tokens WHERE hash = $1",
    )
    .bind(hash.to_owned())
    .fetch_optional()
    .await
}

pub(super) async fn touch(
    conn: &mut Conn,
    provider: &IdentityProviderId,
    now: Timestamp,
) -> Result<()> {
    conn.query("UPDATE provisioning_tokens SET last_used_at = $2 WHERE provider_id = $1")
        .bind(provider)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Puts a token in the place of the one there was.
pub(super) async fn replace(
    conn: &mut Conn,
    ctx: &Context,
    provider: &IdentityProviderId,
    token: &TokenText,
) -> Result<()> {
    delete(conn, &ctx.tenant(), provider).await?;
    conn.query(
        "INSERT INTO provisioning_tokens (provider_id, account_id, hash, last_six, created_by,
            created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(provider)
    .bind(ctx.tenant().account())
    .bind(&token.hash)
    .bind(&token.last_six)
    .bind(&ctx.actor.id)
    .bind(ctx.now())
    .execute()
    .await?;
    Ok(())
}

/// Whether there was one.
pub(super) async fn delete(
    conn: &mut Conn,
    tenant: &Tenant,
    provider: &IdentityProviderId,
) -> Result<bool> {
    let rows = conn
        .query("DELETE FROM provisioning_tokens WHERE account_id = $1 AND provider_id = $2")
        .bind(tenant.account())
        .bind(provider)
        .execute()
        .await?;
    Ok(rows == 1)
}
