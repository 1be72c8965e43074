//! All SQL of the slice.

use db::Conn;
use domain::access::{Role, TokenKind};
use domain::ids::{AccountId, JobId, RunId, TokenId, UserId, WorkspaceId};

use crate::clock::Timestamp;

type Result<T> = std::result::Result<T, db::Error>;

/// A token with its owner, as a caller presents it.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Presented {
    pub id: TokenId,
    pub account_id: AccountId,
    pub kind: TokenKind,
    pub last_six: String,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub user_id: Option<UserId>,
    pub username: Option<String>,
    pub role: Option<Role>,
    pub run_id: Option<RunId>,
    pub job_id: Option<JobId>,
    pub epoch: Option<i64>,
    pub workspace_id: Option<WorkspaceId>,
    /// The epoch that the job has now, while it is leased.
    pub job_epoch: Option<i64>,
}

pub(super) async fn presented(conn: &mut Conn, hash: &str) -> Result<Option<Presented>> {
    conn.query(
        "SELECT t.id, t.account_id, t.kind, t.last_six, t.expires_at, t.last_used_at, t.user_id,
                u.username, m.role, t.run_id, t.job_id, t.epoch, j.workspace_id,
                CASE WHEN j.status IN ('leased', 'out-of-contact') THEN j.epoch END AS job_epoch
         FROM tokens t
         LEFT JOIN users u ON u.id = t.user_id
         LEFT JOIN memberships m ON m.user_id = t.user_id AND m.account_id = t.account_id
         LEFT JOIN jobs j ON j.id = t.job_id AND j.account_id = t.account_id
         WHERE t.hash = $1",
    )
    .bind(hash)
    .fetch_optional()
    .await
}

pub(super) async fn touch(conn: &mut Conn, id: &TokenId, now: Timestamp) -> Result<()> {
    conn.query("UPDATE tokens SET last_used_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}
