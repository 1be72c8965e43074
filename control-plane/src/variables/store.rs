//! All SQL of the slice. Every function takes the tenant first.

use db::Conn;
use domain::ids::{EnvironmentId, VariableId, WorkspaceId};
use domain::workspace::VariableCategory;

use super::model::{Owner, Variable};
use crate::clock::Timestamp;
use crate::context::Tenant;

const SELECT: &str = "SELECT id, environment_id, workspace_id, category, key, sealed_value,
    description, hcl, sensitive, is_final, version, created_at, updated_at
    FROM variables WHERE account_id = ";

type Result<T> = std::result::Result<T, db::Error>;

/// A variable as stored: its value sealed.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Row {
    pub id: VariableId,
    pub environment_id: Option<EnvironmentId>,
    pub workspace_id: Option<WorkspaceId>,
    pub category: VariableCategory,
    pub key: String,
    pub sealed_value: Vec<u8>,
    pub description: String,
    pub hcl: bool,
    pub sensitive: bool,
    pub is_final: bool,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Row {
    pub fn owner(&self) -> Owner {
        match (&self.workspace_id, &self.environment_id) {
            (Some(id), _) => Owner::Workspace(id.clone()),
            (None, Some(id)) => Owner::Environment(id.clone()),
            (None, None) => Owner::Account,
        }
    }
}

/// The condition that holds for an owner's variables.
fn of<'c>(statement: db::Builder<'c>, owner: &Owner) -> db::Builder<'c> {
    match owner {
        Owner::Account => statement.push(" AND environment_id IS NULL AND workspace_id IS NULL"),
        Owner::Environment(id) => statement.push(" AND environment_id = ").bind(id),
        Owner::Workspace(id) => statement.push(" AND workspace_id = ").bind(id),
    }
}

/// All variables of an owner, by category and key. Their number is bounded when they are made.
pub(super) async fn list(conn: &mut Conn, tenant: &Tenant, owner: &Owner) -> Result<Vec<Row>> {
    of(conn.build(SELECT).bind(tenant.account()), owner)
        .push(" ORDER BY category, key, id")
        .finish()
        .fetch_all()
        .await
}

/// What a workspace has or inherits.
pub(super) async fn applicable(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    workspace: &WorkspaceId,
) -> Result<Vec<Row>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND (workspace_id = ")
        .bind(workspace)
        .push(" OR environment_id = ")
        .bind(environment)
        .push(" OR (environment_id IS NULL AND workspace_id IS NULL)) ORDER BY category, key, id")
        .finish()
        .fetch_all()
        .await
}

/// The owner of a final variable with this key above; `environment` is the one that the variable in
/// question is in, if it is in one.
pub(super) async fn final_above(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: Option<&EnvironmentId>,
    category: VariableCategory,
    key: &str,
) -> Result<Option<Owner>> {
    let statement = conn
        .build(SELECT)
        .bind(tenant.account())
        .push(" AND is_final AND category = ")
        .bind(category)
        .push(" AND key = ")
        .bind(key)
        .push(" AND workspace_id IS NULL AND (environment_id IS NULL");
    let row: Option<Row> = match environment {
        Some(id) => statement.push(" OR environment_id = ").bind(id),
        None => statement,
    }
    .push(") ORDER BY environment_id LIMIT 1")
    .finish()
    .fetch_optional()
    .await?;
    Ok(row.map(|row| row.owner()))
}

pub(super) async fn count(conn: &mut Conn, tenant: &Tenant, owner: &Owner) -> Result<i64> {
    let statement = conn.build("SELECT COUNT(*) FROM variables WHERE account_id = ");
    of(statement.bind(tenant.account()), owner)
        .finish()
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
        "INSERT INTO variables (id, account_id, environment_id, workspace_id, category, key,
            sealed_value, description, hcl, sensitive, is_final, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(&variable.id)
    .bind(tenant.account())
    .bind(variable.owner.environment())
    .bind(variable.owner.workspace())
    .bind(variable.category)
    .bind(&variable.key)
    .bind(sealed_value)
    .bind(&variable.description)
    .bind(variable.hcl)
    .bind(variable.sensitive)
    .bind(variable.is_final)
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
                hcl = $7, sensitive = $8, updated_at = $9, is_final = $11, version = version + 1
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
        .bind(variable.is_final)
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
