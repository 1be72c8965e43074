//! All SQL of signing in. It happens before there is a tenant, so these queries name none: users
//! are looked up by name, codes by their hash.

use db::{Conn, Tx};
use domain::access::Role;
use domain::ids::{AccountId, SessionId, UserId};

use super::throttle::Attempts;
use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

/// A user with the account that they would sign in to.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Candidate {
    pub id: UserId,
    pub username: String,
    pub email: String,
    pub password_hash: Option<String>,
    pub role: Role,
    pub account_id: AccountId,
    pub created_at: Timestamp,
}

/// The user of this name, in the default account if they belong to it, else in their oldest one.
pub(super) async fn candidate(conn: &mut Conn, username: &str) -> Result<Option<Candidate>> {
    conn.query(
        "SELECT u.id, u.username, u.email, u.password_hash, m.role, m.account_id, u.created_at
         FROM users u
         JOIN memberships m ON m.user_id = u.id
         JOIN accounts a ON a.id = m.account_id
         WHERE u.username = $1
         ORDER BY a.is_default DESC, m.created_at, m.account_id LIMIT 1",
    )
    .bind(username.to_owned())
    .fetch_optional()
    .await
}

/// The account that a failed attempt of nobody is recorded in.
pub(super) async fn default_account(conn: &mut Conn) -> Result<Option<AccountId>> {
    let row: Option<(AccountId,)> = conn
        .query("SELECT id FROM accounts WHERE is_default")
        .fetch_optional()
        .await?;
    Ok(row.map(|(id,)| id))
}

// ── sessions ───────────────────────────────────────────────────────────────────────────────────

/// Stores a session, and sweeps those that are over.
pub(super) async fn insert_session(
    conn: &mut Conn,
    id: &SessionId,
    user: &UserId,
    hash: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    conn.query("DELETE FROM sessions WHERE expires_at < $1")
        .bind(now)
        .execute()
        .await?;
    conn.query(
        "INSERT INTO sessions (id, user_id, hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id)
    .bind(user)
    .bind(hash.to_owned())
    .bind(now)
    .bind(expires_at)
    .execute()
    .await?;
    Ok(())
}

/// The user of a session that is not over, with the account as in [`candidate`].
pub(super) async fn session_user(
    conn: &mut Conn,
    hash: &str,
    now: Timestamp,
) -> Result<Option<Candidate>> {
    conn.query(
        "SELECT u.id, u.username, u.email, u.password_hash, m.role, m.account_id, u.created_at
         FROM sessions s
         JOIN users u ON u.id = s.user_id
         JOIN memberships m ON m.user_id = u.id
         JOIN accounts a ON a.id = m.account_id
         WHERE s.hash = $1 AND s.expires_at > $2
         ORDER BY a.is_default DESC, m.created_at, m.account_id LIMIT 1",
    )
    .bind(hash.to_owned())
    .bind(now)
    .fetch_optional()
    .await
}

pub(super) async fn delete_session(conn: &mut Conn, hash: &str) -> Result<()> {
    conn.query("DELETE FROM sessions WHERE hash = $1")
        .bind(hash.to_owned())
        .execute()
        .await?;
    Ok(())
}

// ── codes ──────────────────────────────────────────────────────────────────────────────────────

/// What an authorization code was given for.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Code {
    pub account_id: AccountId,
    pub user_id: UserId,
    pub client_id: String,
    pub redirect_uri: String,
    pub code_challenge: String,
    pub expires_at: Timestamp,
}

/// Stores a code, and sweeps those that nobody came back for.
pub(super) async fn insert_code(
    conn: &mut Conn,
    tenant: &Tenant,
    hash: &str,
    code: &Code,
    now: Timestamp,
) -> Result<()> {
    conn.query("DELETE FROM authorization_codes WHERE expires_at < $1")
        .bind(now)
        .execute()
        .await?;
    conn.query(
        "INSERT INTO authorization_codes (hash, account_id, user_id, client_id, redirect_uri,
            code_challenge, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(hash.to_owned())
    .bind(tenant.account())
    .bind(&code.user_id)
    .bind(&code.client_id)
    .bind(&code.redirect_uri)
    .bind(&code.code_challenge)
    .bind(code.expires_at)
    .execute()
    .await?;
    Ok(())
}

/// Takes a code out: it can't be used again, whatever comes of this attempt.
pub(super) async fn take_code(conn: &mut Conn, hash: &str) -> Result<Option<Code>> {
    conn.query(
        "DELETE FROM authorization_codes WHERE hash = $1
         RETURNING account_id, user_id, client_id, redirect_uri, code_challenge, expires_at",
    )
    .bind(hash.to_owned())
    .fetch_optional()
    .await
}

// ── attempts ───────────────────────────────────────────────────────────────────────────────────

/// The attempts of one user name or address, locked until `tx` ends.
pub(super) async fn lock_attempts(tx: &mut Tx, id: &str, now: Timestamp) -> Result<Attempts> {
    tx.query(
        "INSERT INTO sign_in_attempts (id, attempts, last_at) VALUES ($1, 0, $2)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(id.to_owned())
    .bind(now)
    .execute()
    .await?;
    tx.lock_row("sign_in_attempts", id.to_owned()).await?;
    let found = tx
        .query("SELECT attempts, last_at FROM sign_in_attempts WHERE id = $1")
        .bind(id.to_owned())
        .fetch_optional()
        .await?;
    // Somebody's success may have taken the row away between the two statements.
    Ok(found.unwrap_or(Attempts {
        attempts: 0,
        last_at: now,
    }))
}

pub(super) async fn set_attempts(conn: &mut Conn, id: &str, attempts: Attempts) -> Result<()> {
    conn.query("UPDATE sign_in_attempts SET attempts = $2, last_at = $3 WHERE id = $1")
        .bind(id.to_owned())
        .bind(attempts.attempts)
        .bind(attempts.last_at)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn forget_attempts_of(conn: &mut Conn, id: &str) -> Result<()> {
    conn.query("DELETE FROM sign_in_attempts WHERE id = $1")
        .bind(id.to_owned())
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn take_attempt_back(conn: &mut Conn, id: &str) -> Result<()> {
    conn.query(
        "UPDATE sign_in_attempts SET attempts = attempts - 1 WHERE id = $1 AND attempts > 0",
    )
    .bind(id.to_owned())
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn forget_attempts_before(conn: &mut Conn, time: Timestamp) -> Result<()> {
    conn.query("DELETE FROM sign_in_attempts WHERE last_at < $1")
        .bind(time)
        .execute()
        .await?;
    Ok(())
}
