//! Rows of limits. Every function takes the tenant first.

use db::Conn;
use domain::ids::{CostLimitId, EnvironmentId, WorkspaceId};

use super::model::CostLimit;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT l.id, l.environment_id, e.name AS environment_name, l.workspace_id,
        w.name AS workspace_name, l.monthly, l.increase, l.action, l.message, l.version,
        l.created_at, l.updated_at
    FROM cost_limits l JOIN environments e ON e.id = l.environment_id
    LEFT JOIN workspaces w ON w.id = l.workspace_id WHERE l.account_id = ";

/// The limits that hold for a workspace: those of its environment and its own. Their number is
/// bounded when they are made.
pub async fn in_force(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    workspace: &WorkspaceId,
) -> Result<Vec<CostLimit>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND l.environment_id = ")
        .bind(environment)
        .push(" AND (l.workspace_id IS NULL OR l.workspace_id = ")
        .bind(workspace)
        .push(") ORDER BY l.created_at, l.id")
        .finish()
        .fetch_all()
        .await
}

/// The limits on an environment itself, not those of its workspaces.
pub(super) async fn of_environment(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
) -> Result<Vec<CostLimit>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND l.workspace_id IS NULL AND l.environment_id = ")
        .bind(environment)
        .push(" ORDER BY l.created_at, l.id")
        .finish()
        .fetch_all()
        .await
}

/// How many are on an environment itself, or on a workspace itself.
pub(super) async fn count(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    workspace: Option<&WorkspaceId>,
) -> Result<i64> {
    let of = "SELECT COUNT(*) FROM cost_limits WHERE account_id = ";
    let query = conn.build(of).bind(tenant.account());
    let query = match workspace {
        Some(workspace) => query.push(" AND workspace_id = ").bind(workspace),
        None => query
            .push(" AND workspace_id IS NULL AND environment_id = ")
            .bind(environment),
    };
    query.finish().fetch_scalar().await
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &CostLimitId,
) -> Result<Option<CostLimit>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND l.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn insert(conn: &mut Conn, tenant: &Tenant, limit: &CostLimit) -> Result<()> {
    conn.query(
        "INSERT INTO cost_limits (id, account_id, environment_id, workspace_id, monthly, increase,
            action, message, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&limit.id)
    .bind(tenant.account())
    .bind(&limit.environment_id)
    .bind(&limit.workspace_id)
    .bind(&limit.monthly)
    .bind(&limit.increase)
    .bind(limit.action)
    .bind(&limit.message)
    .bind(limit.version)
    .bind(limit.created_at)
    .bind(limit.updated_at)
    .execute()
    .await?;
    Ok(())
}

/// Writes a limit if the row is still at its version; raises it.
pub(super) async fn update(conn: &mut Conn, tenant: &Tenant, limit: &CostLimit) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE cost_limits SET monthly = $3, increase = $4, action = $5, message = $6,
                updated_at = $7, version = version + 1
             WHERE account_id = $1 AND id = $2 AND version = $8",
        )
        .bind(tenant.account())
        .bind(&limit.id)
        .bind(&limit.monthly)
        .bind(&limit.increase)
        .bind(limit.action)
        .bind(&limit.message)
        .bind(limit.updated_at)
        .bind(limit.version)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn delete(conn: &mut Conn, tenant: &Tenant, id: &CostLimitId) -> Result<()> {
    conn.query("DELETE FROM cost_limits WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}
