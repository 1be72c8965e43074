//! Rows of streams.

use db::{Conn, Json, Tx};
use domain::ids::{AccountId, AuditStreamId};
use sqlx::FromRow;

use super::model::{Destination, Stream};
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT s.id, s.account_id, s.name, s.settings, s.paused, s.delivered_sequence,
        s.delivered_at, s.failures, s.last_error, s.failed_at, s.next_attempt_at, s.claim, s.version,
        s.created_at, s.updated_at
    FROM audit_streams s ";

#[derive(FromRow)]
struct Row {
    id: AuditStreamId,
    account_id: AccountId,
    name: String,
    settings: Json<Destination>,
    paused: bool,
    delivered_sequence: i64,
    delivered_at: Option<Timestamp>,
    failures: i64,
    last_error: Option<String>,
    failed_at: Option<Timestamp>,
    next_attempt_at: Timestamp,
    claim: i64,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Row> for Stream {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            account_id: row.account_id,
            name: row.name,
            destination: row.settings.0,
            paused: row.paused,
            delivered_sequence: row.delivered_sequence,
            delivered_at: row.delivered_at,
            failures: row.failures,
            last_error: row.last_error,
            failed_at: row.failed_at,
            next_attempt_at: row.next_attempt_at,
            claim: row.claim,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    stream: &Stream,
    sealed_secret: Vec<u8>,
) -> Result<()> {
    conn.query(
        "INSERT INTO audit_streams (id, account_id, name, kind, settings, sealed_secret, paused,
            delivered_sequence, failures, next_attempt_at, claim, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, 0, 1, $9, $9)",
    )
    .bind(&stream.id)
    .bind(tenant.account())
    .bind(&stream.name)
    .bind(stream.destination.kind())
    .bind(Json(&stream.destination))
    .bind(sealed_secret)
    .bind(stream.paused)
    .bind(stream.delivered_sequence)
    .bind(stream.created_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn count(conn: &mut Conn, tenant: &Tenant) -> Result<i64> {
    conn.query("SELECT COUNT(*) FROM audit_streams WHERE account_id = $1")
        .bind(tenant.account())
        .fetch_scalar()
        .await
}

pub(super) async fn list(conn: &mut Conn, tenant: &Tenant, page: Page) -> Result<Paged<Stream>> {
    let total = count(conn, tenant).await?;
    let rows: Vec<Row> = conn
        .build(SELECT)
        .push("WHERE s.account_id = ")
        .bind(tenant.account())
        .push(" ORDER BY s.name, s.id LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    let items = rows.into_iter().map(Stream::from).collect();
    Ok(Paged { items, total })
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &AuditStreamId,
) -> Result<Option<Stream>> {
    let row: Option<Row> = conn
        .build(SELECT)
        .push("WHERE s.account_id = ")
        .bind(tenant.account())
        .push(" AND s.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await?;
    Ok(row.map(Stream::from))
}

pub(super) async fn sealed_secret(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &AuditStreamId,
) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = conn
        .query("SELECT sealed_secret FROM audit_streams WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .fetch_optional()
        .await?;
    Ok(row.map(|(sealed,)| sealed))
}

/// Writes a change, unless somebody else has meanwhile; whoever is delivering loses his claim.
pub(super) async fn update(
    conn: &mut Conn,
    tenant: &Tenant,
    stream: &Stream,
    sealed_secret: Option<Vec<u8>>,
) -> Result<bool> {
    let changed = conn
        .query(
            "UPDATE audit_streams SET name = $4, kind = $5, settings = $6, paused = $7,
                sealed_secret = COALESCE($8, sealed_secret), updated_at = $9, failures = 0,
                next_attempt_at = $9, claim = claim + 1, version = version + 1
             WHERE account_id = $1 AND id = $2 AND version = $3",
        )
        .bind(tenant.account())
        .bind(&stream.id)
        .bind(stream.version)
        .bind(&stream.name)
        .bind(stream.destination.kind())
        .bind(Json(&stream.destination))
        .bind(stream.paused)
        .bind(sealed_secret)
        .bind(stream.updated_at)
        .execute()
        .await?;
    Ok(changed == 1)
}

pub(super) async fn delete(conn: &mut Conn, tenant: &Tenant, id: &AuditStreamId) -> Result<bool> {
    let deleted = conn
        .query("DELETE FROM audit_streams WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(deleted == 1)
}

/// Streams of all accounts that have something to send now.
pub(super) async fn due(conn: &mut Conn, now: Timestamp, limit: i64) -> Result<Vec<Stream>> {
    let rows: Vec<Row> = conn
        .build(SELECT)
        .push(
            "JOIN audit_chains c ON c.account_id = s.account_id
             WHERE c.sequence > s.delivered_sequence AND s.paused = ",
        )
        .bind(false)
        .push(" AND s.next_attempt_at <= ")
        .bind(now)
        .push(" ORDER BY s.next_attempt_at, s.id LIMIT ")
        .bind(limit)
        .finish()
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(Stream::from).collect())
}

/// Takes a stream for this process until `until`, unless somebody else has. Its new claim.
pub(super) async fn take(tx: &mut Tx, stream: &Stream, until: Timestamp) -> Result<Option<i64>> {
    let taken: Option<(i64,)> = tx
        .query(
            "UPDATE audit_streams SET next_attempt_at = $4, claim = claim + 1
             WHERE account_id = $1 AND id = $2 AND claim = $3 RETURNING claim",
        )
        .bind(&stream.account_id)
        .bind(&stream.id)
        .bind(stream.claim)
        .bind(until)
        .fetch_optional()
        .await?;
    Ok(taken.map(|(claim,)| claim))
}

/// Notes what has arrived. False: the claim is lost.
pub(super) async fn delivered(
    conn: &mut Conn,
    stream: &Stream,
    (now, until): (Timestamp, Timestamp),
) -> Result<bool> {
    let noted = conn
        .query(
            "UPDATE audit_streams SET delivered_sequence = $4, delivered_at = $5, failures = 0,
                last_error = $6, next_attempt_at = $7
             WHERE account_id = $1 AND id = $2 AND claim = $3",
        )
        .bind(&stream.account_id)
        .bind(&stream.id)
        .bind(stream.claim)
        .bind(stream.delivered_sequence)
        .bind(now)
        .bind(&stream.last_error)
        .bind(until)
        .execute()
        .await?;
    Ok(noted == 1)
}

/// Gives a claim back: from `again` on there may be more.
pub(super) async fn give_back(conn: &mut Conn, stream: &Stream, again: Timestamp) -> Result<()> {
    conn.query(
        "UPDATE audit_streams SET next_attempt_at = $4
         WHERE account_id = $1 AND id = $2 AND claim = $3",
    )
    .bind(&stream.account_id)
    .bind(&stream.id)
    .bind(stream.claim)
    .bind(again)
    .execute()
    .await?;
    Ok(())
}

/// Notes a failure; it is tried again at `again`.
pub(super) async fn failed(
    conn: &mut Conn,
    stream: &Stream,
    reason: &str,
    (now, again): (Timestamp, Timestamp),
) -> Result<()> {
    conn.query(
        "UPDATE audit_streams SET failures = failures + 1, last_error = $4, failed_at = $5,
            next_attempt_at = $6
         WHERE account_id = $1 AND id = $2 AND claim = $3",
    )
    .bind(&stream.account_id)
    .bind(&stream.id)
    .bind(stream.claim)
    .bind(reason)
    .bind(now)
    .bind(again)
    .execute()
    .await?;
    Ok(())
}
