//! Rows of adjustments and files. Every function takes the tenant first.

use db::Conn;
use domain::ids::{CostAdjustmentId, EnvironmentId, WorkspaceId};

use super::model::Adjustment;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::Page;

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str =
    "SELECT id, kind, subject, amount, description, version, created_at, updated_at
    FROM cost_adjustments WHERE account_id = ";

/// All adjustments of an account, by kind and subject. Their number is bounded when they are made.
pub async fn adjustments(conn: &mut Conn, tenant: &Tenant) -> Result<Vec<Adjustment>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" ORDER BY kind, subject, id")
        .finish()
        .fetch_all()
        .await
}

pub(super) async fn page(conn: &mut Conn, tenant: &Tenant, page: Page) -> Result<Vec<Adjustment>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" ORDER BY kind, subject, id LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await
}

pub(super) async fn count(conn: &mut Conn, tenant: &Tenant) -> Result<i64> {
    conn.query("SELECT COUNT(*) FROM cost_adjustments WHERE account_id = $1")
        .bind(tenant.account())
        .fetch_scalar()
        .await
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &CostAdjustmentId,
) -> Result<Option<Adjustment>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    adjustment: &Adjustment,
) -> Result<()> {
    conn.query(
        "INSERT INTO cost_adjustments (id, account_id, kind, subject, amount, description, version,
            created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&adjustment.id)
    .bind(tenant.account())
    .bind(adjustment.kind)
    .bind(&adjustment.subject)
    .bind(&adjustment.amount)
    .bind(&adjustment.description)
    .bind(adjustment.version)
    .bind(adjustment.created_at)
    .bind(adjustment.updated_at)
    .execute()
    .await?;
    Ok(())
}

/// Writes an adjustment if the row is still at its version; raises it.
pub(super) async fn update(
    conn: &mut Conn,
    tenant: &Tenant,
    adjustment: &Adjustment,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE cost_adjustments SET subject = $3, amount = $4, description = $5,
                updated_at = $6, version = version + 1
             WHERE account_id = $1 AND id = $2 AND version = $7",
        )
        .bind(tenant.account())
        .bind(&adjustment.id)
        .bind(&adjustment.subject)
        .bind(&adjustment.amount)
        .bind(&adjustment.description)
        .bind(adjustment.updated_at)
        .bind(adjustment.version)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn delete(conn: &mut Conn, tenant: &Tenant, id: &CostAdjustmentId) -> Result<()> {
    conn.query("DELETE FROM cost_adjustments WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

/// The file that is kept for an account, an environment or a workspace.
pub async fn content(conn: &mut Conn, tenant: &Tenant, subject: &str) -> Result<Option<String>> {
    let found: Option<(String,)> = conn
        .query("SELECT content FROM cost_files WHERE account_id = $1 AND subject_id = $2")
        .bind(tenant.account())
        .bind(subject)
        .fetch_optional()
        .await?;
    Ok(found.map(|(content,)| content))
}

/// A file and what it is for.
pub(super) struct File<'a> {
    pub subject: &'a str,
    pub environment: Option<&'a EnvironmentId>,
    pub workspace: Option<&'a WorkspaceId>,
    pub content: &'a str,
    pub sha256: &'a str,
}

pub(super) async fn put_file(
    conn: &mut Conn,
    tenant: &Tenant,
    file: &File<'_>,
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "INSERT INTO cost_files (account_id, subject_id, environment_id, workspace_id, content,
            sha256, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (account_id, subject_id) DO UPDATE SET content = excluded.content,
            sha256 = excluded.sha256, updated_at = excluded.updated_at",
    )
    .bind(tenant.account())
    .bind(file.subject)
    .bind(file.environment)
    .bind(file.workspace)
    .bind(file.content)
    .bind(file.sha256)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn delete_file(conn: &mut Conn, tenant: &Tenant, subject: &str) -> Result<bool> {
    let rows = conn
        .query("DELETE FROM cost_files WHERE account_id = $1 AND subject_id = $2")
        .bind(tenant.account())
        .bind(subject)
        .execute()
        .await?;
    Ok(rows == 1)
}
