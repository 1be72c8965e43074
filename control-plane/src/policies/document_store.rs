//! Rows of data documents. Every function takes the tenant first.

use db::Conn;
use domain::ids::{AccountId, PolicyDocumentId};

use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

/// A document without its body.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct DataDocument {
    pub id: PolicyDocumentId,
    pub name: String,
    pub description: String,
    /// Of the body, in bytes.
    pub size: i64,
    /// Of the body, in hexadecimal.
    pub sha256: String,
    pub version: i64,
    /// Where it is fetched from, if it is.
    pub url: Option<String>,
    pub refresh_minutes: Option<i64>,
    pub has_token: bool,
    pub fetched_at: Option<Timestamp>,
    pub fetch_error: Option<String>,
    pub next_fetch_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A document whose time has come.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Due {
    pub(super) account_id: AccountId,
    pub(super) id: PolicyDocumentId,
}

const SELECT: &str = "SELECT id, name, description, size, sha256, version, url, refresh_minutes,
    sealed_token IS NOT NULL AS has_token, fetched_at, fetch_error, next_fetch_at, created_at,
    updated_at FROM policy_documents WHERE account_id = ";

pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    page: Page,
) -> Result<Paged<DataDocument>> {
    let (total, _) = totals(conn, tenant).await?;
    let items = conn
        .build(SELECT)
        .bind(tenant.account())
        .push(" ORDER BY name LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    Ok(Paged { items, total })
}

/// How many documents there are, and how large they are together.
pub(super) async fn totals(conn: &mut Conn, tenant: &Tenant) -> Result<(i64, i64)> {
    conn.query(
        "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM policy_documents
         WHERE account_id = $1",
    )
    .bind(tenant.account())
    .fetch_one()
    .await
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PolicyDocumentId,
) -> Result<Option<DataDocument>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

/// Names and sealed bodies of all of an account's documents.
pub(super) async fn bodies(
    conn: &mut Conn,
    tenant: &Tenant,
) -> Result<Vec<(PolicyDocumentId, String, Vec<u8>)>> {
    conn.query("SELECT id, name, sealed_body FROM policy_documents WHERE account_id = $1")
        .bind(tenant.account())
        .fetch_all()
        .await
}

pub(super) async fn body(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PolicyDocumentId,
) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = conn
        .query("SELECT sealed_body FROM policy_documents WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .fetch_optional()
        .await?;
    Ok(row.map(|(sealed,)| sealed))
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    document: &DataDocument,
    sealed: Vec<u8>,
) -> Result<()> {
    conn.query(
        "INSERT INTO policy_documents (id, account_id, name, description, size, sha256,
            sealed_body, version, created_at, updated_at, url, refresh_minutes, fetched_at,
            next_fetch_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(&document.id)
    .bind(tenant.account())
    .bind(&document.name)
    .bind(&document.description)
    .bind(document.size)
    .bind(&document.sha256)
    .bind(sealed)
    .bind(document.version)
    .bind(document.created_at)
    .bind(document.updated_at)
    .bind(&document.url)
    .bind(document.refresh_minutes)
    .bind(document.fetched_at)
    .bind(document.next_fetch_at)
    .execute()
    .await?;
    Ok(())
}

/// Writes a document that is still at its version, and its body if there is a new one; raises it.
pub(super) async fn update(
    conn: &mut Conn,
    tenant: &Tenant,
    document: &DataDocument,
    sealed: Option<Vec<u8>>,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE policy_documents SET name = $3, description = $4, size = $5, sha256 = $6,
                sealed_body = COALESCE($7, sealed_body), updated_at = $8, version = version + 1,
                url = $10, refresh_minutes = $11, fetched_at = $12, fetch_error = $13,
                next_fetch_at = $14
             WHERE account_id = $1 AND id = $2 AND version = $9",
        )
        .bind(tenant.account())
        .bind(&document.id)
        .bind(&document.name)
        .bind(&document.description)
        .bind(document.size)
        .bind(&document.sha256)
        .bind(sealed)
        .bind(document.updated_at)
        .bind(document.version)
        .bind(&document.url)
        .bind(document.refresh_minutes)
        .bind(document.fetched_at)
        .bind(&document.fetch_error)
        .bind(document.next_fetch_at)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn sealed_token(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PolicyDocumentId,
) -> Result<Option<Vec<u8>>> {
    let row: Option<(Option<Vec<u8>>,)> = conn
        .query("SELECT sealed_token FROM policy_documents WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .fetch_optional()
        .await?;
    Ok(row.and_then(|(sealed,)| sealed))
}

pub(super) async fn set_token(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PolicyDocumentId,
    sealed: Option<Vec<u8>>,
) -> Result<()> {
    conn.query("UPDATE policy_documents SET sealed_token = $3 WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .bind(sealed)
        .execute()
        .await?;
    Ok(())
}

/// Documents of all accounts that are due at `now`; they are not again before `until`.
pub(super) async fn take_due(
    conn: &mut Conn,
    now: Timestamp,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<Due>> {
    conn.query(
        "UPDATE policy_documents SET next_fetch_at = $2 WHERE id IN (
            SELECT id FROM policy_documents WHERE url IS NOT NULL AND next_fetch_at <= $1
            ORDER BY next_fetch_at LIMIT $3)
         AND next_fetch_at <= $1 RETURNING account_id, id",
    )
    .bind(now)
    .bind(until)
    .bind(limit)
    .fetch_all()
    .await
}

pub(super) async fn delete(conn: &mut Conn, tenant: &Tenant, id: &PolicyDocumentId) -> Result<()> {
    conn.query("DELETE FROM policy_documents WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}
