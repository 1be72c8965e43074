//! All SQL of the slice.

use db::Conn;
use domain::access::TokenKind;
use domain::ids::{
    AccountId, EnvironmentId, JobId, RunId, ServiceAccountId, TeamId, TokenId, UserId, WorkspaceId,
};

use super::model::Member;
use super::secret_token::TokenText;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

/// A token with its owner, as a caller presents it.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Presented {
    pub id: TokenId,
    pub account_id: AccountId,
    pub kind: TokenKind,
    pub last_six: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub user_id: Option<UserId>,
    pub service_account_id: Option<ServiceAccountId>,
    /// While it is enabled.
    pub service_account_name: Option<String>,
    pub team_id: Option<TeamId>,
    pub team_name: Option<String>,
    pub environment_id: Option<EnvironmentId>,
    pub environment_name: Option<String>,
    pub username: Option<String>,
    /// Whether the user is still a member of the account.
    pub is_member: bool,
    pub run_id: Option<RunId>,
    pub job_id: Option<JobId>,
    pub epoch: Option<i64>,
    pub workspace_id: Option<WorkspaceId>,
    /// The epoch that the job has now, while it is leased.
    pub job_epoch: Option<i64>,
}

pub(super) async fn presented(conn: &mut Conn, hash: &str) -> Result<Option<Presented>> {
    conn.query(
        "SELECT t.id, t.account_id, t.kind, t.last_six, t.created_at, t.expires_at,
                t.last_used_at, t.user_id, t.service_account_id, t.team_id, t.environment_id,
                CASE WHEN s.enabled THEN s.name END AS service_account_name,
                g.name AS team_name, e.name AS environment_name, u.username, m.user_id IS NOT NULL AS is_member, t.run_id, t.job_id, t.epoch, j.workspace_id,
                CASE WHEN j.status IN ('leased', 'out-of-contact') THEN j.epoch END AS job_epoch
         FROM tokens t
         LEFT JOIN users u ON u.id = t.user_id
         LEFT JOIN memberships m ON m.user_id = t.user_id AND m.account_id = t.account_id
            AND m.suspended_at IS NULL
         LEFT JOIN service_accounts s ON s.id = t.service_account_id
         LEFT JOIN teams g ON g.id = t.team_id
         LEFT JOIN environments e ON e.id = t.environment_id
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

// ── users ──────────────────────────────────────────────────────────────────────────────────────

/// The role is read off the member's own grants in the whole account.
const MEMBER: &str = "SELECT u.id, u.username, u.email, u.created_at,
        CASE WHEN EXISTS (SELECT 1 FROM access_grants g WHERE g.account_id = m.account_id
                AND g.user_id = m.user_id AND g.scope = 'account' AND g.system_role = 'admin')
            THEN 'admin'
            WHEN EXISTS (SELECT 1 FROM access_grants g WHERE g.account_id = m.account_id
                AND g.user_id = m.user_id AND g.scope = 'account' AND g.system_role = 'read-only')
            THEN 'reader' ELSE 'member' END AS role
    FROM users u JOIN memberships m ON m.user_id = u.id ";

pub(super) async fn insert_user(
    conn: &mut Conn,
    tenant: &Tenant,
    member: &Member,
    password_hash: Option<&str>,
) -> Result<()> {
    conn.query(
        "INSERT INTO users (id, username, email, password_hash, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $5)",
    )
    .bind(&member.id)
    .bind(&member.username)
    .bind(&member.email)
    .bind(password_hash.map(str::to_owned))
    .bind(member.created_at)
    .execute()
    .await?;
    conn.query("INSERT INTO memberships (account_id, user_id, created_at) VALUES ($1, $2, $3)")
        .bind(tenant.account())
        .bind(&member.id)
        .bind(member.created_at)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn find_member(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &UserId,
) -> Result<Option<Member>> {
    conn.build(MEMBER)
        .push("WHERE m.account_id = ")
        .bind(tenant.account())
        .push(" AND u.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn find_member_by_name(
    conn: &mut Conn,
    tenant: &Tenant,
    username: &str,
) -> Result<Option<Member>> {
    conn.build(MEMBER)
        .push("WHERE m.account_id = ")
        .bind(tenant.account())
        .push(" AND u.username = ")
        .bind(username)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn list_members(conn: &mut Conn, tenant: &Tenant) -> Result<Vec<Member>> {
    conn.build(MEMBER)
        .push("WHERE m.account_id = ")
        .bind(tenant.account())
        .push(" ORDER BY u.username")
        .finish()
        .fetch_all()
        .await
}

/// Those of `ids` that are members of the account.
pub(super) async fn find_members(
    conn: &mut Conn,
    tenant: &Tenant,
    ids: &[UserId],
) -> Result<Vec<Member>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    conn.build(MEMBER)
        .push("WHERE m.account_id = ")
        .bind(tenant.account())
        .push_in(" AND u.id IN (", ids)
        .finish()
        .fetch_all()
        .await
}

/// Members of the account by name, those whose name or address has `search` in it.
pub(super) async fn page_of_members(
    conn: &mut Conn,
    tenant: &Tenant,
    search: Option<&str>,
    page: Page,
) -> Result<Paged<Member>> {
    let pattern = || search.map(|text| format!("%{}%", text.to_lowercase()));
    let total = conn
        .build("SELECT COUNT(*) FROM users u JOIN memberships m ON m.user_id = u.id WHERE m.account_id = ")
        .bind(tenant.account())
        .push_if(" AND LOWER(u.username || ' ' || u.email) LIKE ", pattern())
        .finish()
        .fetch_scalar()
        .await?;
    let items = conn
        .build(MEMBER)
        .push("WHERE m.account_id = ")
        .bind(tenant.account())
        .push_if(" AND LOWER(u.username || ' ' || u.email) LIKE ", pattern())
        .push(" ORDER BY u.username LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    Ok(Paged { items, total })
}

/// Ends a membership, with the tokens of the user in this account.
pub(super) async fn delete_membership(
    conn: &mut Conn,
    tenant: &Tenant,
    user: &UserId,
) -> Result<()> {
    for sql in [
        "DELETE FROM tokens WHERE account_id = $1 AND user_id = $2",
        "DELETE FROM authorization_codes WHERE account_id = $1 AND user_id = $2",
        "DELETE FROM sessions WHERE account_id = $1 AND user_id = $2",
        "DELETE FROM user_links WHERE account_id = $1 AND user_id = $2",
        "DELETE FROM memberships WHERE account_id = $1 AND user_id = $2",
    ] {
        conn.query(sql)
            .bind(tenant.account())
            .bind(user)
            .execute()
            .await?;
    }
    Ok(())
}

/// Whether the user belongs to another account as well.
pub(super) async fn is_shared(conn: &mut Conn, tenant: &Tenant, user: &UserId) -> Result<bool> {
    let count: i64 = conn
        .query("SELECT COUNT(*) FROM memberships WHERE user_id = $1 AND account_id <> $2")
        .bind(user)
        .bind(tenant.account())
        .fetch_scalar()
        .await?;
    Ok(count > 0)
}

/// Suspends a membership, with the tokens and sessions of the user in this account; or takes it up
/// again (`None`).
pub(super) async fn suspend_membership(
    conn: &mut Conn,
    tenant: &Tenant,
    user: &UserId,
    since: Option<Timestamp>,
) -> Result<()> {
    conn.query("UPDATE memberships SET suspended_at = $3 WHERE account_id = $1 AND user_id = $2")
        .bind(tenant.account())
        .bind(user)
        .bind(since)
        .execute()
        .await?;
    if since.is_none() {
        return Ok(());
    }
    for sql in [
        "DELETE FROM tokens WHERE account_id = $1 AND user_id = $2",
        "DELETE FROM authorization_codes WHERE account_id = $1 AND user_id = $2",
        "DELETE FROM sessions WHERE account_id = $1 AND user_id = $2",
    ] {
        conn.query(sql)
            .bind(tenant.account())
            .bind(user)
            .execute()
            .await?;
    }
    Ok(())
}

pub(super) async fn set_password(
    conn: &mut Conn,
    id: &UserId,
    hash: &str,
    now: Timestamp,
) -> Result<()> {
    conn.query("UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1")
        .bind(id)
        .bind(hash.to_owned())
        .bind(now)
        .execute()
        .await?;
    for sql in [
        "DELETE FROM sessions WHERE user_id = $1",
        "DELETE FROM authorization_codes WHERE user_id = $1",
    ] {
        conn.query(sql).bind(id).execute().await?;
    }
    Ok(())
}

// ── tokens of runs ─────────────────────────────────────────────────────────────────────────────────────

/// What a run's token is bound to.
pub(super) struct RunTokenRow<'a> {
    pub id: TokenId,
    pub run: &'a RunId,
    pub job: &'a JobId,
    pub epoch: i64,
    pub now: Timestamp,
    pub expires: Timestamp,
}

pub(super) async fn insert_run_token(
    conn: &mut Conn,
    tenant: &Tenant,
    row: &RunTokenRow<'_>,
    text: &TokenText,
) -> Result<()> {
    conn.query(
        "INSERT INTO tokens (id, account_id, kind, run_id, job_id, epoch, hash, last_six,
            description, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'run', $9, $10)",
    )
    .bind(&row.id)
    .bind(tenant.account())
    .bind(TokenKind::Run)
    .bind(row.run)
    .bind(row.job)
    .bind(row.epoch)
    .bind(&text.hash)
    .bind(&text.last_six)
    .bind(row.now)
    .bind(row.expires)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn delete_job_tokens(conn: &mut Conn, tenant: &Tenant, job: &JobId) -> Result<()> {
    conn.query("DELETE FROM tokens WHERE account_id = $1 AND job_id = $2")
        .bind(tenant.account())
        .bind(job)
        .execute()
        .await?;
    Ok(())
}
