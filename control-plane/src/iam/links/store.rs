//! SQL of links. The tenant comes first, but where a link itself is all that is known.

use db::Conn;
use domain::access::Role;
use domain::ids::{AccountId, UserId, UserLinkId};

use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::iam) enum Kind {
    Invitation,
    Password,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Password => "password",
        }
    }
}

/// A link without its secret.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::iam) struct Link {
    pub id: UserLinkId,
    pub account_id: AccountId,
    pub user_id: Option<UserId>,
    pub email: String,
    pub role: Option<Role>,
    /// The id of the actor that made it.
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

const SELECT: &str = "SELECT id, account_id, user_id, email, role, created_by, created_at,
        expires_at
    FROM user_links WHERE kind = ";

pub(super) async fn insert(conn: &mut Conn, kind: Kind, link: &Link, hash: &str) -> Result<()> {
    conn.query("DELETE FROM user_links WHERE expires_at < $1")
        .bind(link.created_at)
        .execute()
        .await?;
    conn.query(
        "INSERT INTO user_links (id, account_id, kind, hash, user_id, email, role, created_by,
            created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&link.id)
    .bind(&link.account_id)
    .bind(kind.word())
    .bind(hash.to_owned())
    .bind(&link.user_id)
    .bind(&link.email)
    .bind(link.role)
    .bind(&link.created_by)
    .bind(link.created_at)
    .bind(link.expires_at)
    .execute()
    .await?;
    Ok(())
}

/// The link with this secret, if it can be used.
pub(super) async fn by_hash(
    conn: &mut Conn,
    kind: Kind,
    hash: &str,
    now: Timestamp,
) -> Result<Option<Link>> {
    conn.build(SELECT)
        .bind(kind.word())
        .push(" AND hash = ")
        .bind(hash)
        .push(" AND expires_at > ")
        .bind(now)
        .finish()
        .fetch_optional()
        .await
}

/// Whether it was there: of two that come at once, one gets it.
pub(super) async fn take(conn: &mut Conn, id: &UserLinkId) -> Result<bool> {
    let rows = conn
        .query("DELETE FROM user_links WHERE id = $1")
        .bind(id)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn take_all_of(conn: &mut Conn, kind: Kind, user: &UserId) -> Result<()> {
    conn.query("DELETE FROM user_links WHERE kind = $1 AND user_id = $2")
        .bind(kind.word())
        .bind(user)
        .execute()
        .await?;
    Ok(())
}

/// Invitations that wait, newest first.
pub(super) async fn invitations(
    conn: &mut Conn,
    tenant: &Tenant,
    now: Timestamp,
) -> Result<Vec<Link>> {
    conn.build(SELECT)
        .bind(Kind::Invitation.word())
        .push(" AND account_id = ")
        .bind(tenant.account())
        .push(" AND expires_at > ")
        .bind(now)
        .push(" ORDER BY created_at DESC, id LIMIT 500")
        .finish()
        .fetch_all()
        .await
}

pub(super) async fn invitation(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &UserLinkId,
) -> Result<Option<Link>> {
    conn.build(SELECT)
        .bind(Kind::Invitation.word())
        .push(" AND account_id = ")
        .bind(tenant.account())
        .push(" AND id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn insert_membership(
    conn: &mut Conn,
    tenant: &Tenant,
    user: &UserId,
    now: Timestamp,
) -> Result<bool> {
    let rows = conn
        .query(
            "INSERT INTO memberships (account_id, user_id, created_at)
             VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(tenant.account())
        .bind(user)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}
