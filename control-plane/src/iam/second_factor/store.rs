//! SQL of second factors. They are a person's, so no tenant is named.

use db::Conn;
use domain::ids::UserId;

use crate::clock::Timestamp;

type Result<T> = std::result::Result<T, db::Error>;

#[derive(Debug, sqlx::FromRow)]
pub(super) struct Factor {
    pub confirmed_at: Option<Timestamp>,
}

pub(super) async fn find(conn: &mut Conn, user: &UserId) -> Result<Option<Factor>> {
    conn.query("SELECT confirmed_at FROM second_factors WHERE user_id = $1")
        .bind(user)
        .fetch_optional()
        .await
}

pub(super) async fn insert(conn: &mut Conn, user: &UserId, now: Timestamp) -> Result<()> {
    conn.query("INSERT INTO second_factors (user_id, last_step, created_at) VALUES ($1, $2, $3)")
        .bind(user)
        .bind(0_i64)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn confirm(conn: &mut Conn, user: &UserId, now: Timestamp) -> Result<()> {
    conn.query("UPDATE second_factors SET confirmed_at = $2 WHERE user_id = $1")
        .bind(user)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Whether the step is later than every one that was used: a code is good once.
pub(super) async fn use_step(conn: &mut Conn, user: &UserId, step: i64) -> Result<bool> {
    let rows = conn
        .query("UPDATE second_factors SET last_step = $2 WHERE user_id = $1 AND last_step < $2")
        .bind(user)
        .bind(step)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Whether there was one.
pub(super) async fn delete(conn: &mut Conn, user: &UserId) -> Result<bool> {
    conn.query("DELETE FROM recovery_codes WHERE user_id = $1")
        .bind(user)
        .execute()
        .await?;
    let rows = conn
        .query("DELETE FROM second_factors WHERE user_id = $1")
        .bind(user)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn insert_recovery(conn: &mut Conn, user: &UserId, hash: &str) -> Result<()> {
    conn.query("INSERT INTO recovery_codes (user_id, hash) VALUES ($1, $2)")
        .bind(user)
        .bind(hash.to_owned())
        .execute()
        .await?;
    Ok(())
}

/// Uses a recovery code up; whether it was one.
pub(super) async fn use_recovery(conn: &mut Conn, user: &UserId, hash: &str) -> Result<bool> {
    let rows = conn
        .query("DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2")
        .bind(user)
        .bind(hash.to_owned())
        .execute()
        .await?;
    Ok(rows == 1)
}
