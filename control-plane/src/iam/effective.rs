//! What somebody may do where: their grants, indexed so that a decision is a few look-ups however
//! many there are.

use std::collections::HashMap;
use std::sync::LazyLock;

use domain::access::Scope;
use domain::ids::{EnvironmentId, ProjectId, WorkspaceId};
use domain::permission::Permission;
use domain::permission_set::PermissionSet;

use super::authorize::Target;

/// Where a grant holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Account,
    Environment(EnvironmentId),
    /// What is in an environment says which, so that its holder finds the way there.
    Project(EnvironmentId, ProjectId),
    Workspace(EnvironmentId, WorkspaceId),
}

impl Place {
    pub fn scope(&self) -> Scope {
        match self {
            Self::Account => Scope::Account,
            Self::Environment(_) => Scope::Environment,
            Self::Project(..) => Scope::Project,
            Self::Workspace(..) => Scope::Workspace,
        }
    }
}

/// Everything granted to one subject, by place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    account: PermissionSet,
    environments: HashMap<EnvironmentId, PermissionSet>,
    projects: HashMap<ProjectId, (EnvironmentId, PermissionSet)>,
    workspaces: HashMap<WorkspaceId, (EnvironmentId, PermissionSet)>,
    /// What is held somewhere in an environment: in it, or in a part of it.
    inside: HashMap<EnvironmentId, PermissionSet>,
}

/// What of a list somebody may see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Visible {
    #[default]
    All,
    /// What is in one of these, or is one of them.
    Only {
        environments: Vec<EnvironmentId>,
        projects: Vec<ProjectId>,
        workspaces: Vec<WorkspaceId>,
    },
}

/// What of a role a grant at `scope` gives.
fn given(role: &PermissionSet, scope: Scope) -> PermissionSet {
    static BEYOND: LazyLock<HashMap<Scope, PermissionSet>> = LazyLock::new(|| {
        let beyond = |scope: Scope| {
            let all = Permission::ALL.iter().copied();
            all.filter(|it| !it.applies_at(scope)).collect()
        };
        Scope::ALL.iter().map(|it| (*it, beyond(*it))).collect()
    });
    role.without(&BEYOND[&scope])
}

impl Grants {
    /// Adds what `role` gives at `place`.
    pub fn add(&mut self, place: &Place, role: &PermissionSet) {
        let given = given(role, place.scope());
        if given.is_empty() {
            return;
        }
        match place {
            Place::Account => self.account.add(&given),
            Place::Environment(id) => {
                self.environments.entry(id.clone()).or_default().add(&given);
                self.inside.entry(id.clone()).or_default().add(&given);
            }
            Place::Project(environment, id) => {
                let entry = self.projects.entry(id.clone());
                let empty = || (environment.clone(), PermissionSet::EMPTY);
                entry.or_insert_with(empty).1.add(&given);
                self.inside
                    .entry(environment.clone())
                    .or_default()
                    .add(&given);
            }
            Place::Workspace(environment, id) => {
                let entry = self.workspaces.entry(id.clone());
                let empty = || (environment.clone(), PermissionSet::EMPTY);
                entry.or_insert_with(empty).1.add(&given);
                self.inside
                    .entry(environment.clone())
                    .or_default()
                    .add(&given);
            }
        }
    }

    /// Everything that is held on `target`.
    pub fn on(&self, target: &Target) -> PermissionSet {
        let mut held = self.account;
        if let Some(id) = &target.environment {
            if let Some(more) = self.environments.get(id) {
                held.add(more);
            }
            // Who has something in an environment finds the way there.
            if self.inside.contains_key(id) {
                held.insert(Permission::EnvironmentsRead);
            }
        }
        if let Some((_, more)) = target.project.as_ref().and_then(|id| self.projects.get(id)) {
            held.add(more);
        }
        let of_workspace = target
            .workspace
            .as_ref()
            .and_then(|id| self.workspaces.get(id));
        if let Some((_, more)) = of_workspace {
            held.add(more);
        }
        held
    }

    pub fn allows(&self, permission: Permission, target: &Target) -> bool {
        self.on(target).contains(permission)
    }

    /// What is held at a place, whole: what its holder may pass on there.
    pub fn at(&self, place: &Place) -> PermissionSet {
        let target = Target::new("access-policies", "").at(place);
        self.on(&target).at(place.scope())
    }

    /// What of an environment's things may be seen by who needs `permission` for it; `None` if
    /// nothing at all.
    pub fn visible_in(
        &self,
        permission: Permission,
        environment: &EnvironmentId,
    ) -> Option<Visible> {
        let whole = self.account.contains(permission)
            || self
                .environments
                .get(environment)
                .is_some_and(|it| it.contains(permission));
        if whole {
            return Some(Visible::All);
        }
        self.inside
            .get(environment)
            .filter(|held| held.contains(permission))?;
        let holds = |of: &EnvironmentId, held: &PermissionSet| {
            of == environment && held.contains(permission)
        };
        Some(Visible::Only {
            environments: Vec::new(),
            projects: self
                .projects
                .iter()
                .filter(|(_, (of, held))| holds(of, held))
                .map(|(id, _)| id.clone())
                .collect(),
            workspaces: self
                .workspaces
                .iter()
                .filter(|(_, (of, held))| holds(of, held))
                .map(|(id, _)| id.clone())
                .collect(),
        })
    }

    /// What of the account's things may be seen by who needs `permission` for it.
    pub fn visible(&self, permission: Permission) -> Visible {
        if self.account.contains(permission) {
            return Visible::All;
        }
        let way = permission == Permission::EnvironmentsRead;
        Visible::Only {
            environments: if way {
                self.inside.keys().cloned().collect()
            } else {
                holding(&self.environments, permission)
            },
            projects: self
                .projects
                .iter()
                .filter(|(_, (_, held))| held.contains(permission))
                .map(|(id, _)| id.clone())
                .collect(),
            workspaces: self
                .workspaces
                .iter()
                .filter(|(_, (_, held))| held.contains(permission))
                .map(|(id, _)| id.clone())
                .collect(),
        }
    }
}

fn holding<I: Clone>(places: &HashMap<I, PermissionSet>, permission: Permission) -> Vec<I> {
    let held = places.iter().filter(|(_, held)| held.contains(permission));
    held.map(|(id, _)| id.clone()).collect()
}

#[cfg(test)]
mod unit {
    use domain::system_role::SystemRole;

    use super::*;

    fn workspace(environment: &EnvironmentId, id: &WorkspaceId) -> Target {
        Target::new("workspaces", id)
            .in_environment(environment)
            .in_workspace(id)
    }

    #[test]
    fn a_grant_holds_where_it_is_and_below() {
        let (here, there) = (EnvironmentId::random(), EnvironmentId::random());
        let (one, two) = (WorkspaceId::random(), WorkspaceId::random());
        let mut grants = Grants::default();
        grants.add(
            &Place::Workspace(here.clone(), one.clone()),
            &SystemRole::User.permissions(),
        );
        assert!(grants.allows(Permission::RunsApply, &workspace(&here, &one)));
        assert!(!grants.allows(Permission::RunsApply, &workspace(&here, &two)));
        let environment = |id| Target::new("organizations", id).in_environment(id);
        assert!(grants.allows(Permission::EnvironmentsRead, &environment(&here)));
        assert!(!grants.allows(Permission::EnvironmentsRead, &environment(&there)));
        assert!(!grants.allows(Permission::TeamsRead, &environment(&here)));
        grants.add(
            &Place::Environment(here.clone()),
            &SystemRole::User.permissions(),
        );
        assert!(grants.allows(Permission::RunsApply, &workspace(&here, &two)));
        assert!(!grants.allows(Permission::RunsApply, &workspace(&there, &two)));
    }

    #[test]
    fn a_grant_on_a_project_holds_in_its_workspaces() {
        let environment = EnvironmentId::random();
        let (project, other) = (ProjectId::random(), ProjectId::random());
        let id = WorkspaceId::random();
        let mut grants = Grants::default();
        let place = Place::Project(environment.clone(), project.clone());
        grants.add(&place, &SystemRole::ReadOnly.permissions());
        let target = |of: &ProjectId| workspace(&environment, &id).in_project(of);
        assert!(grants.allows(Permission::WorkspacesRead, &target(&project)));
        assert!(!grants.allows(Permission::WorkspacesRead, &target(&other)));
    }

    #[test]
    fn a_list_shows_what_is_granted() {
        let (here, there) = (EnvironmentId::random(), EnvironmentId::random());
        let one = WorkspaceId::random();
        let mut grants = Grants::default();
        grants.add(
            &Place::Workspace(here.clone(), one.clone()),
            &SystemRole::ReadOnly.permissions(),
        );
        let only = Visible::Only {
            environments: Vec::new(),
            projects: Vec::new(),
            workspaces: vec![one],
        };
        assert_eq!(
            grants.visible_in(Permission::WorkspacesRead, &here),
            Some(only)
        );
        assert_eq!(grants.visible_in(Permission::WorkspacesRead, &there), None);
        assert_eq!(grants.visible_in(Permission::WorkspacesDelete, &here), None);
        grants.add(&Place::Account, &SystemRole::ReadOnly.permissions());
        assert_eq!(
            grants.visible_in(Permission::WorkspacesRead, &there),
            Some(Visible::All)
        );
    }
}
