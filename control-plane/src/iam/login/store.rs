//! All SQL of signing in. It happens before there is a tenant, so these queries name none: users
//! are looked up by name, codes by their hash.

use db::{Conn, Tx};
use domain::ids::{AccountId, IdentityProviderId, SessionId, UserId};

use super::session::Opening;
use super::throttle::Attempts;
use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

/// A user with the account that they would sign in to.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Candidate {
    pub id: UserId,
    pub username: String,
    pub password_hash: Option<String>,
    pub account_id: AccountId,
    /// Not 0: the account's members come through its identity providers, and this one too.
    pub provider_only: i64,
}

/// The user of this name, in the default account if they belong to it, else in their oldest one;
/// first of all where their password opens something. `account`: the only one that counts.
pub(super) async fn candidate(
    conn: &mut Conn,
    username: &str,
    account: Option<&AccountId>,
) -> Result<Option<Candidate>> {
    conn.build(
        "SELECT u.id, u.username, u.password_hash, m.account_id,
            (SELECT COUNT(*) FROM sign_in_policies p
             WHERE p.account_id = m.account_id AND p.enforced AND NOT EXISTS (
                SELECT 1 FROM sign_in_bypass b
                WHERE b.account_id = m.account_id AND b.user_id = m.user_id)) AS provider_only
         FROM users u
         JOIN memberships m ON m.user_id = u.id
         JOIN accounts a ON a.id = m.account_id
         WHERE m.suspended_at IS NULL AND u.username = ",
    )
    .bind(username)
    .push_if(" AND m.account_id = ", account)
    .push(" ORDER BY 5, a.is_default DESC, m.created_at, m.account_id LIMIT 1")
    .finish()
    .fetch_optional()
    .await
}

/// The account of this name.
pub(super) async fn account_named(conn: &mut Conn, name: &str) -> Result<Option<AccountId>> {
    let row: Option<(AccountId,)> = conn
        .query("SELECT id FROM accounts WHERE LOWER(name) = $1")
        .bind(name.to_owned())
        .fetch_optional()
        .await?;
    Ok(row.map(|(id,)| id))
}

/// The name of an account other than the default one.
pub(super) async fn name_of_account(
    conn: &mut Conn,
    account: &AccountId,
) -> Result<Option<String>> {
    let row: Option<(String,)> = conn
        .query("SELECT name FROM accounts WHERE id = $1 AND NOT is_default")
        .bind(account)
        .fetch_optional()
        .await?;
    Ok(row.map(|(name,)| name))
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
    user: &UserId,
    hash: &str,
    opening: Opening,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    conn.query("DELETE FROM sessions WHERE expires_at < $1")
        .bind(now)
        .execute()
        .await?;
    let (account, provider) = opening.provider.unzip();
    conn.query(
        "INSERT INTO sessions (id, user_id, hash, created_at, expires_at, account_id, provider_id,
            sealed_id_token, source_address, user_agent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(opening.id.unwrap_or_else(SessionId::random))
    .bind(user)
    .bind(hash.to_owned())
    .bind(now)
    .bind(expires_at)
    .bind(account)
    .bind(provider)
    .bind(opening.sealed_id_token)
    .bind(opening.source_address.map(|it| it.to_string()))
    .bind(opening.user_agent)
    .execute()
    .await?;
    Ok(())
}

/// The user of a session that is not over, with the account as in [`candidate`]. A session that a
/// provider has opened counts in its account; one that a password has opened, where passwords count.
pub(super) async fn session_user(
    conn: &mut Conn,
    hash: &str,
    account: Option<&AccountId>,
    now: Timestamp,
) -> Result<Option<Candidate>> {
    conn.build(
        "SELECT u.id, u.username, u.password_hash, m.account_id,
            CAST(0 AS BIGINT) AS provider_only
         FROM sessions s
         JOIN users u ON u.id = s.user_id
         JOIN memberships m ON m.user_id = u.id
         JOIN accounts a ON a.id = m.account_id
         WHERE m.suspended_at IS NULL
           AND (s.account_id IS NULL OR s.account_id = m.account_id)
           AND (s.provider_id IS NOT NULL OR NOT EXISTS (
                SELECT 1 FROM sign_in_policies p
                WHERE p.account_id = m.account_id AND p.enforced AND NOT EXISTS (
                    SELECT 1 FROM sign_in_bypass b
                    WHERE b.account_id = m.account_id AND b.user_id = m.user_id)))
           AND s.hash = ",
    )
    .bind(hash)
    .push(" AND s.expires_at > ")
    .bind(now)
    .push_if(" AND m.account_id = ", account)
    .push(" ORDER BY a.is_default DESC, m.created_at, m.account_id LIMIT 1")
    .finish()
    .fetch_optional()
    .await
}

/// The provider that has opened a session, and what it gave for telling it the end.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Foreign {
    pub id: SessionId,
    pub account_id: AccountId,
    pub provider_id: IdentityProviderId,
    pub sealed_id_token: Option<Vec<u8>>,
}

pub(super) async fn session_provider(conn: &mut Conn, hash: &str) -> Result<Option<Foreign>> {
    conn.query(
        "SELECT id, account_id, provider_id, sealed_id_token FROM sessions
         WHERE hash = $1 AND account_id IS NOT NULL AND provider_id IS NOT NULL",
    )
    .bind(hash.to_owned())
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
