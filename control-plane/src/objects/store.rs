//! Rows of large objects.

use blob::BlobMeta;
use db::Conn;
use domain::ids::{AccountId, BlobId};

use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

#[derive(Debug, sqlx::FromRow)]
pub(super) struct Row {
    pub kind: String,
    pub key_id: String,
    pub size: i64,
    pub sha256: String,
    pub md5: String,
}

/// An object that the sweep has taken out of everybody's reach.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Doomed {
    pub id: BlobId,
    pub account_id: AccountId,
    pub kind: String,
}

/// The row of an object whose bytes are about to come.
pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &BlobId,
    kind: &str,
    key_id: &str,
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "INSERT INTO blobs (id, account_id, kind, key_id, size, sha256, md5, stored_size, complete,
            orphan_since, doomed, created_at)
         VALUES ($1, $2, $3, $4, 0, '', '', 0, FALSE, $5, FALSE, $5)",
    )
    .bind(id)
    .bind(tenant.account())
    .bind(kind)
    .bind(key_id)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn complete(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &BlobId,
    meta: &BlobMeta,
) -> Result<bool> {
    let size = i64::try_from(meta.size).unwrap_or(i64::MAX);
    let stored_size = i64::try_from(meta.stored_size).unwrap_or(i64::MAX);
    let rows = conn
        .query(
            "UPDATE blobs SET size = $3, stored_size = $4, sha256 = $5, md5 = $6, complete = TRUE
             WHERE account_id = $1 AND id = $2 AND NOT doomed",
        )
        .bind(tenant.account())
        .bind(id)
        .bind(size)
        .bind(stored_size)
        .bind(meta.sha256_hex())
        .bind(meta.md5_hex())
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn own(conn: &mut Conn, tenant: &Tenant, id: &BlobId) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE blobs SET orphan_since = NULL
             WHERE account_id = $1 AND id = $2 AND complete AND NOT doomed",
        )
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn release(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &BlobId,
    now: Timestamp,
) -> Result<()> {
    conn.query("UPDATE blobs SET orphan_since = $3 WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn find(conn: &mut Conn, tenant: &Tenant, id: &BlobId) -> Result<Option<Row>> {
    conn.query(
        "SELECT kind, key_id, size, sha256, md5 FROM blobs
         WHERE account_id = $1 AND id = $2 AND complete AND NOT doomed",
    )
    .bind(tenant.account())
    .bind(id)
    .fetch_optional()
    .await
}

/// Those of these objects that are whole.
pub(super) async fn find_all(
    conn: &mut Conn,
    tenant: &Tenant,
    ids: &[&BlobId],
) -> Result<Vec<(BlobId, Row)>> {
    #[derive(sqlx::FromRow)]
    struct Named {
        id: BlobId,
        #[sqlx(flatten)]
        row: Row,
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Named> = conn
        .build("SELECT id, kind, key_id, size, sha256, md5 FROM blobs WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND complete AND NOT doomed")
        .push_in(" AND id IN (", ids.iter().copied())
        .finish()
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|it| (it.id, it.row)).collect())
}

/// An object that some row refers to.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Owned {
    pub id: BlobId,
    pub account_id: AccountId,
    /// The word of `kind.rs`.
    pub kind: String,
}

/// Every object of every account that is whole and referred to, for what looks after them all.
///
/// # Errors
/// The database's own.
pub async fn all_owned(conn: &mut Conn) -> Result<Vec<Owned>> {
    conn.query(
        "SELECT id, account_id, kind FROM blobs
         WHERE complete AND NOT doomed AND orphan_since IS NULL ORDER BY id",
    )
    .fetch_all()
    .await
}

/// Owned objects that no row of any slice refers to: their workspace or run was deleted. A test
/// compares the list with the schema.
pub(super) const DISOWN: &str = "UPDATE blobs SET orphan_since = $1
    WHERE orphan_since IS NULL AND id IN (
        SELECT id FROM blobs WHERE orphan_since IS NULL
        EXCEPT SELECT blob_id FROM configuration_versions
        EXCEPT SELECT plan_archive_blob_id FROM runs
        EXCEPT SELECT plan_json_blob_id FROM runs
        EXCEPT SELECT plan_redacted_blob_id FROM runs
        EXCEPT SELECT plan_schemas_blob_id FROM runs
        EXCEPT SELECT plan_blob_id FROM policy_inputs
        EXCEPT SELECT report_blob_id FROM cost_estimates
        EXCEPT SELECT blob_id FROM logs
        EXCEPT SELECT blob_id FROM fetches
        EXCEPT SELECT blob_id FROM state_versions
        EXCEPT SELECT json_blob_id FROM state_versions
        EXCEPT SELECT blob_id FROM policy_revisions)";

pub(super) async fn disown_unreferenced(conn: &mut Conn, now: Timestamp) -> Result<u64> {
    conn.query(DISOWN).bind(now).execute().await
}

/// Takes what has been an orphan since before `cutoff` out of everybody's reach.
pub(super) async fn doom(conn: &mut Conn, cutoff: Timestamp) -> Result<u64> {
    conn.query("UPDATE blobs SET doomed = TRUE WHERE orphan_since < $1 AND NOT doomed")
        .bind(cutoff)
        .execute()
        .await
}

pub(super) async fn doomed(conn: &mut Conn, after: &str, limit: i64) -> Result<Vec<Doomed>> {
    conn.query(
        "SELECT id, account_id, kind FROM blobs
         WHERE orphan_since IS NOT NULL AND doomed AND id > $1 ORDER BY id LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all()
    .await
}

pub(super) async fn delete(conn: &mut Conn, tenant: &Tenant, id: &BlobId) -> Result<()> {
    conn.query("DELETE FROM blobs WHERE account_id = $1 AND id = $2 AND doomed")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}
