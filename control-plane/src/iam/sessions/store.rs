//! SQL of sessions, as people manage them.

use db::Conn;
use domain::ids::{AccountId, IdentityProviderId, SessionId, UserId};

use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

/// A session without what its cookie holds.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    /// The only account that it counts in, if a provider has opened it.
    pub account_id: Option<AccountId>,
    pub provider_id: Option<IdentityProviderId>,
    pub source_address: Option<String>,
    pub user_agent: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// How many other accounts its user belongs to.
    pub elsewhere: i64,
}

const SELECT: &str = "SELECT s.id, s.user_id, s.account_id, s.provider_id, s.source_address,
        s.user_agent, s.created_at, s.expires_at,
        (SELECT COUNT(*) FROM memberships o
         WHERE o.user_id = s.user_id AND o.account_id <> m.account_id) AS elsewhere
    FROM sessions s JOIN memberships m ON m.user_id = s.user_id WHERE m.account_id = ";

/// A member's sessions, newest first.
pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    user: &UserId,
    now: Timestamp,
) -> Result<Vec<Session>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND s.user_id = ")
        .bind(user)
        .push(" AND s.expires_at > ")
        .bind(now)
        .push(" ORDER BY s.created_at DESC, s.id LIMIT 100")
        .finish()
        .fetch_all()
        .await
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &SessionId,
) -> Result<Option<Session>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND s.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn delete(conn: &mut Conn, id: &SessionId) -> Result<()> {
    conn.query("DELETE FROM sessions WHERE id = $1")
        .bind(id)
        .execute()
        .await?;
    Ok(())
}
