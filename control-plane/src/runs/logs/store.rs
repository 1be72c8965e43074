//! Rows of logs and their live chunks.

use db::Conn;
use domain::ids::{AccountId, BlobId, RunId};
use domain::run::Phase;

use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Log {
    pub id: String,
    pub account_id: AccountId,
    pub run_id: RunId,
    pub size: i64,
    pub complete: bool,
    pub blob_id: Option<BlobId>,
}

#[derive(Debug, sqlx::FromRow)]
pub(super) struct Chunk {
    pub position: i64,
    pub size: i64,
    pub sealed: Vec<u8>,
}

const COLUMNS: &str = "SELECT id, account_id, run_id, size, complete, blob_id FROM logs ";

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
    phase: Phase,
    stream: &str,
) -> Result<Option<Log>> {
    conn.build(COLUMNS)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND run_id = ")
        .bind(run)
        .push(" AND phase = ")
        .bind(phase)
        .push(" AND stream = ")
        .bind(stream)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &str,
    run: &RunId,
    phase: Phase,
    stream: &str,
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "INSERT INTO logs (id, account_id, run_id, phase, stream, size, complete, updated_at)
         VALUES ($1, $2, $3, $4, $5, 0, $6, $7) ON CONFLICT (run_id, phase, stream) DO NOTHING",
    )
    .bind(id)
    .bind(tenant.account())
    .bind(run)
    .bind(phase)
    .bind(stream)
    .bind(false)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Adds a chunk at the end of a log that is `size` long.
pub(super) async fn append(
    conn: &mut Conn,
    tenant: &Tenant,
    log: &str,
    size: i64,
    added: i64,
    sealed: Vec<u8>,
    now: Timestamp,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE logs SET size = size + $4, updated_at = $5
             WHERE account_id = $1 AND id = $2 AND size = $3",
        )
        .bind(tenant.account())
        .bind(log)
        .bind(size)
        .bind(added)
        .bind(now)
        .execute()
        .await?;
    if rows == 0 {
        return Ok(false);
    }
    conn.query(
        "INSERT INTO log_chunks (log_id, account_id, position, size, sealed)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(log)
    .bind(tenant.account())
    .bind(size)
    .bind(added)
    .bind(sealed)
    .execute()
    .await?;
    Ok(true)
}

/// The chunks that overlap `[start, end)`, in order. They follow each other without gaps, so the
/// first is found by its position; asked by its end, every chunk before it would be looked at.
pub(super) async fn chunks(
    conn: &mut Conn,
    tenant: &Tenant,
    log: &str,
    start: i64,
    end: i64,
) -> Result<Vec<Chunk>> {
    conn.query(
        "SELECT position, size, sealed FROM log_chunks
         WHERE account_id = $1 AND log_id = $2 AND position < $4 AND position >= COALESCE((
            SELECT MAX(c.position) FROM log_chunks c WHERE c.log_id = $2 AND c.position <= $3), 0)
         ORDER BY position",
    )
    .bind(tenant.account())
    .bind(log)
    .bind(start)
    .bind(end)
    .fetch_all()
    .await
}

/// Marks the logs of a phase complete.
pub(super) async fn end(conn: &mut Conn, tenant: &Tenant, run: &RunId, phase: Phase) -> Result<()> {
    conn.query(
        "UPDATE logs SET complete = $4 WHERE account_id = $1 AND run_id = $2 AND phase = $3",
    )
    .bind(tenant.account())
    .bind(run)
    .bind(phase)
    .bind(true)
    .execute()
    .await?;
    Ok(())
}

/// Logs that can become blobs.
pub(super) async fn uncompacted(conn: &mut Conn, limit: i64) -> Result<Vec<Log>> {
    conn.build(COLUMNS)
        .push("WHERE complete AND blob_id IS NULL AND size > 0 ORDER BY updated_at LIMIT ")
        .bind(limit)
        .finish()
        .fetch_all()
        .await
}

/// Replaces a log's chunks by a blob.
pub(super) async fn compacted(
    conn: &mut Conn,
    tenant: &Tenant,
    log: &str,
    blob: &BlobId,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE logs SET blob_id = $3
             WHERE account_id = $1 AND id = $2 AND complete AND blob_id IS NULL",
        )
        .bind(tenant.account())
        .bind(log)
        .bind(blob)
        .execute()
        .await?;
    if rows == 1 {
        conn.query("DELETE FROM log_chunks WHERE account_id = $1 AND log_id = $2")
            .bind(tenant.account())
            .bind(log)
            .execute()
            .await?;
    }
    Ok(rows == 1)
}

/// Forgets the logs of a phase: it begins again.
pub(super) async fn delete(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
    phase: Phase,
) -> Result<()> {
    conn.query("DELETE FROM logs WHERE account_id = $1 AND run_id = $2 AND phase = $3")
        .bind(tenant.account())
        .bind(run)
        .bind(phase)
        .execute()
        .await?;
    Ok(())
}
