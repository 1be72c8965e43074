//! The runs that say what is planned now: the latest of each workspace that could change something.

use db::Conn;
use domain::ids::{EnvironmentId, ProjectId, RunId, WorkspaceId};

use crate::clock::Timestamp;
use crate::context::Tenant;

/// A run with a plan, and where it belongs.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PlannedRun {
    pub id: RunId,
    pub created_at: Timestamp,
    pub environment_id: EnvironmentId,
    pub environment_name: String,
    pub project_id: ProjectId,
    pub workspace_id: WorkspaceId,
    pub workspace_name: String,
}

/// The latest run of each workspace whose plan is finished and has changes, that is neither a dry
/// run nor a destroy, and whose status has changed since `since`; whatever became of it afterwards.
///
/// # Errors
/// The database's own.
pub async fn latest_planned(
    conn: &mut Conn,
    tenant: &Tenant,
    since: Timestamp,
) -> Result<Vec<PlannedRun>, db::Error> {
    // A truth value out of JSON is the number 1 on one database, the word on the other.
    conn.query(
        "SELECT r.id, r.created_at, w.environment_id, e.name AS environment_name, w.project_id,
            r.workspace_id, w.name AS workspace_name
         FROM runs r
         JOIN (SELECT workspace_id, MAX(number) AS number FROM runs
            WHERE account_id = $1 AND plan_status = 'finished' AND NOT plan_only
                AND changed_at >= $2
                AND CAST(plan_result ->> 'has_changes' AS TEXT) IN ('true', '1')
                AND CAST(request ->> 'is_destroy' AS TEXT) NOT IN ('true', '1')
            GROUP BY workspace_id) l ON l.workspace_id = r.workspace_id AND l.number = r.number
         JOIN workspaces w ON w.id = r.workspace_id
         JOIN environments e ON e.id = w.environment_id
         WHERE r.account_id = $1
         ORDER BY e.name, w.name, r.id",
    )
    .bind(tenant.account())
    .bind(since)
    .fetch_all()
    .await
}
