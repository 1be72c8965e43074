//! Rows of limits. Every function takes the tenant first.

use db::Conn;
use domain::ids::{EnvironmentId, WorkspaceId};

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
