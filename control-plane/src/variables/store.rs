//! All SQL of the slice. Every function takes the tenant first.

use db::Conn;
use domain::ids::{VariableId, WorkspaceId};
use domain::workspace::VariableCategory;

use super::model::Variable;
use crate::clock::Timestamp;
use crate::context::Tenant;

const SELECT: &str = "SELECT id, workspace_id, category, key, sealed_value, description, hcl,
    sensitive, version, created_at, updated_at FROM variables WHERE account_id = ";

type Result<T> = std::result::Result<T, db::Error>;

/// A variable as stored: its value sealed.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Row {
    pub id: VariableId,
    pub workspace_id: WorkspaceId,
    pub category: VariableCategory,
    pub key: String,
    pub sealed_value: Vec<u8>,
    pub description: String,
    pub hcl: bool,
    pub sensitive: bool,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// All variables of a workspace, by category and key. Their number is bounded when they are made.
pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
) -> Result<Vec<Row>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND workspace_id = ")
        .bind(workspace)
        .push(" ORDER BY category, key, id")
        .finish()
        .fetch_all()
        .await
}

pub(super) async fn count(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
) -> Result<i64> {
    conn.query("SELECT COUNT(*) FROM variables WHERE account_id = $1 AND workspace_id = $2")
        .bind(tenant.account())
        .bind(workspace)
        .fetch_scalar()
        .await
}

pub(super) async fn find(conn: &mut Conn, tenant: &Tenant, id: &VariableId) -> Result<Option<Row>> {
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
    variable: &Variable,
    sealed_value: Vec<u8>,
) -> Result<()> {
    conn.query(
        "INSERT INTO variables (id, account_id, workspace_id, category, key, sealed_value,
            description, hcl, sensitive, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(&variable.id)
    .bind(tenant.account())
    .bind(&variable.workspace_id)
    .bind(variable.category)
    .bind(&variable.key)
    .bind(sealed_value)
    .bind(&variable.description)
    .bind(variable.hcl)
    .bind(variable.sensitive)
    .bind(variable.version)
    .bind(variable.created_at)
    .bind(variable.updated_at)
    .execute()
    .await?;
    Ok(())
}

/// Writes a variable if the row is still at `variable.version`; raises it.
pub(super) async fn update(
    conn: &mut Conn,
    tenant: &Tenant,
    variable: &Variable,
    sealed_value: Vec<u8>,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE variables SET category = $3, key = $4, sealed_value = $5, description = $6,
                hcl = $7, sensitive = $8, updated_at = $9, version = version + 1
             WHERE account_id = $1 AND id = $2 AND version = $10",
        )
        .bind(tenant.account())
        .bind(&variable.id)
        .bind(variable.category)
        .bind(&variable.key)
        .bind(sealed_value)
        .bind(&variable.description)
        .bind(variable.hcl)
        .bind(variable.sensitive)
        .bind(variable.updated_at)
        .bind(variable.version)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn delete(conn: &mut Conn, tenant: &Tenant, id: &VariableId) -> Result<()> {
    conn.query("DELETE FROM variables WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}
