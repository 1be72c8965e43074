//! Where a group holds, told for many workspaces at once.

use std::collections::HashSet;

use domain::ids::{EnvironmentId, ProjectId, WorkspaceId};

use super::binding_store;
use super::error::PolicyError;
use super::model::{Bound, PolicyGroup};
use crate::context::Tenant;

/// Where a group holds, or would hold if it had a good revision.
#[derive(Debug, Default)]
pub struct Reach {
    enforced: bool,
    bound: HashSet<Bound>,
}

impl Reach {
    /// Whether the group decides about the runs of that workspace.
    pub fn holds(
        &self,
        environment: &EnvironmentId,
        project: &ProjectId,
        workspace: &WorkspaceId,
    ) -> bool {
        let has = |bound: Bound| self.bound.contains(&bound);
        let included = self.enforced
            || has(Bound::Environment(environment.clone()))
            || has(Bound::Project(project.clone()))
            || has(Bound::Workspace(workspace.clone()));
        included
            && !has(Bound::ExcludedProject(project.clone()))
            && !has(Bound::ExcludedWorkspace(workspace.clone()))
    }
}

/// Where `group` holds.
///
/// # Errors
/// The database's own.
pub async fn reach(
    conn: &mut db::Conn,
    tenant: &Tenant,
    group: &PolicyGroup,
) -> Result<Reach, PolicyError> {
    let bound = binding_store::of_groups(conn, tenant, &[&group.id]).await?;
    Ok(Reach {
        enforced: group.enforced,
        bound: bound.into_iter().map(|(_, bound)| bound).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exclusion_is_stronger_than_whatever_includes() {
        let (environment, project) = (EnvironmentId::random(), ProjectId::random());
        let (one, other) = (WorkspaceId::random(), WorkspaceId::random());
        let reach = |enforced, bound: &[Bound]| Reach {
            enforced,
            bound: bound.iter().cloned().collect(),
        };
        let nowhere = reach(false, &[]);
        assert!(!nowhere.holds(&environment, &project, &one));
        let everywhere = reach(true, &[Bound::ExcludedWorkspace(one.clone())]);
        assert!(!everywhere.holds(&environment, &project, &one));
        assert!(everywhere.holds(&environment, &project, &other));
        let bound = reach(false, &[Bound::Environment(environment.clone())]);
        assert!(bound.holds(&environment, &project, &one));
        assert!(!bound.holds(&EnvironmentId::random(), &project, &one));
        let excluded = reach(
            false,
            &[
                Bound::Workspace(one.clone()),
                Bound::ExcludedProject(project.clone()),
            ],
        );
        assert!(!excluded.holds(&environment, &project, &one));
    }
}
