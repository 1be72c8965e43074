//! Rows of what groups are bound to, and the question of the gate: what is in force here?

use db::Conn;
use domain::ids::{EnvironmentId, PolicyGroupId, PolicyRevisionId, ProjectId, WorkspaceId};
use domain::policy::PolicyStage;

use super::in_force::InForce;
use super::model::{Bound, Layout};
use crate::context::Tenant;
use crate::workspaces::Workspace;

type Result<T> = std::result::Result<T, db::Error>;

/// Adds a binding; one that is there already stays.
pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    group: &PolicyGroupId,
    bound: &Bound,
) -> Result<()> {
    let (environment, project, workspace) = match bound {
        Bound::Environment(id) => (Some(id), None, None),
        Bound::Project(id) | Bound::ExcludedProject(id) => (None, Some(id), None),
        Bound::Workspace(id) | Bound::ExcludedWorkspace(id) => (None, None, Some(id)),
    };
    conn.query(
        "INSERT INTO policy_bindings (account_id, group_id, target_id, excluded, environment_id,
            project_id, workspace_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(tenant.account())
    .bind(group)
    .bind(bound.id())
    .bind(bound.is_excluded())
    .bind(environment)
    .bind(project)
    .bind(workspace)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn delete(
    conn: &mut Conn,
    tenant: &Tenant,
    group: &PolicyGroupId,
    bound: &Bound,
) -> Result<()> {
    conn.query(
        "DELETE FROM policy_bindings
         WHERE account_id = $1 AND group_id = $2 AND target_id = $3 AND excluded = $4",
    )
    .bind(tenant.account())
    .bind(group)
    .bind(bound.id())
    .bind(bound.is_excluded())
    .execute()
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    group_id: PolicyGroupId,
    excluded: bool,
    environment_id: Option<EnvironmentId>,
    project_id: Option<ProjectId>,
    workspace_id: Option<WorkspaceId>,
}

impl Row {
    fn bound(self) -> Option<(PolicyGroupId, Bound)> {
        let bound = match (self.environment_id, self.project_id, self.workspace_id) {
            (Some(id), _, _) => Bound::Environment(id),
            (_, Some(id), _) if self.excluded => Bound::ExcludedProject(id),
            (_, Some(id), _) => Bound::Project(id),
            (_, _, Some(id)) if self.excluded => Bound::ExcludedWorkspace(id),
            (_, _, Some(id)) => Bound::Workspace(id),
            (None, None, None) => return None,
        };
        Some((self.group_id, bound))
    }
}

/// What these groups are bound to.
pub(super) async fn of_groups(
    conn: &mut Conn,
    tenant: &Tenant,
    groups: &[&PolicyGroupId],
) -> Result<Vec<(PolicyGroupId, Bound)>> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let rows = conn
        .build(
            "SELECT group_id, excluded, environment_id, project_id, workspace_id
             FROM policy_bindings WHERE account_id = ",
        )
        .bind(tenant.account())
        .push_in(" AND group_id IN (", groups.iter().copied())
        .push(" ORDER BY group_id, target_id")
        .finish()
        .fetch_all::<Row>()
        .await?;
    Ok(rows.into_iter().filter_map(Row::bound).collect())
}

#[derive(sqlx::FromRow)]
struct InForceRow {
    id: PolicyGroupId,
    name: String,
    overridable: bool,
    revision_id: PolicyRevisionId,
    #[sqlx(json)]
    layout: Layout,
}

/// The groups that decide about a workspace's runs, by name.
pub(super) async fn in_force(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &Workspace,
    stage: PolicyStage,
) -> Result<Vec<InForce>> {
    let rows = conn
        .query(
            "SELECT g.id, g.name, g.overridable, r.id AS revision_id, r.layout
             FROM policy_groups g JOIN policy_revisions r ON r.id = g.good_revision_id
             WHERE g.account_id = $1 AND g.stage = $2
                AND (g.enforced OR EXISTS (SELECT 1 FROM policy_bindings b
                    WHERE b.account_id = g.account_id AND b.group_id = g.id AND NOT b.excluded
                        AND (b.environment_id = $3 OR b.project_id = $4 OR b.workspace_id = $5)))
                AND NOT EXISTS (SELECT 1 FROM policy_bindings b
                    WHERE b.account_id = g.account_id AND b.group_id = g.id AND b.excluded
                        AND (b.project_id = $4 OR b.workspace_id = $5))
             ORDER BY g.name, g.id",
        )
        .bind(tenant.account())
        .bind(stage)
        .bind(&workspace.environment_id)
        .bind(&workspace.project_id)
        .bind(&workspace.id)
        .fetch_all::<InForceRow>()
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| InForce {
            group_id: row.id,
            name: row.name,
            kind: row.layout.kind,
            dialect: row.layout.dialect,
            overridable: row.overridable,
            revision_id: row.revision_id,
        })
        .collect())
}
