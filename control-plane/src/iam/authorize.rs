//! The one door: may this actor do this to that object?
//!
//! Returns a proof that the audit log asks for, so a change that forgot the check can't be recorded,
//! and a change that isn't recorded doesn't pass review.

use domain::access::ActorKind;
use domain::ids::{EnvironmentId, ProjectId, WorkspaceId};
use domain::permission::Permission;

use super::effective::{Place, Visible};
use crate::context::Context;

/// The object an action is on, with the places that it is in: grants on any of them count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The object's type as on the wire: `workspaces`, `runs`, …
    pub kind: &'static str,
    pub id: String,
    pub environment: Option<EnvironmentId>,
    pub project: Option<ProjectId>,
    pub workspace: Option<WorkspaceId>,
}

impl Target {
    pub fn new(kind: &'static str, id: impl ToString) -> Self {
        Self {
            kind,
            id: id.to_string(),
            environment: None,
            project: None,
            workspace: None,
        }
    }

    pub fn in_environment(mut self, id: &EnvironmentId) -> Self {
        self.environment = Some(id.clone());
        self
    }

    pub fn in_project(mut self, id: &ProjectId) -> Self {
        self.project = Some(id.clone());
        self
    }

    pub fn in_workspace(mut self, id: &WorkspaceId) -> Self {
        self.workspace = Some(id.clone());
        self
    }

    /// Something that is right at `place`.
    pub fn at(self, place: &Place) -> Self {
        match place {
            Place::Account => self,
            Place::Environment(id) => self.in_environment(id),
            Place::Project(environment, id) => self.in_environment(environment).in_project(id),
            Place::Workspace(environment, id) => self.in_environment(environment).in_workspace(id),
        }
    }
}

/// Proof that [`authorize`] said yes.
#[derive(Debug, Clone)]
pub struct Authorized {
    permission: Permission,
    target: Target,
}

impl Authorized {
    pub fn permission(&self) -> Permission {
        self.permission
    }

    pub fn target(&self) -> &Target {
        &self.target
    }
}

/// A refusal. The edge turns it into a response and an audit record.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "this needs the permission `{permission}`, which {actor} does not have on it; ask an administrator of the account"
)]
pub struct Denied {
    pub permission: Permission,
    pub target: Target,
    pub actor: String,
    /// Whether the caller may know that the object exists.
    pub visible: bool,
}

/// What a run's own token may do, on its own workspace.
pub(crate) const RUN_PERMISSIONS: &[Permission] = &[
    Permission::EnvironmentsRead,
    Permission::WorkspacesRead,
    Permission::WorkspacesLock,
    // `terraform import` and `console` ask for the variables of their workspace.
    Permission::VariablesRead,
    Permission::StateVersionsRead,
    Permission::StateVersionsReadOutputs,
    Permission::StateVersionsCreateOutsideRuns,
];

/// May `ctx`'s actor do `permission` on `target`? The target must belong to the actor's account:
/// rows are only ever loaded through its tenant.
///
/// # Errors
/// [`Denied`], which knows whether the object may be admitted to exist.
pub fn authorize(
    ctx: &Context,
    permission: Permission,
    target: Target,
) -> Result<Authorized, Denied> {
    let actor = &ctx.actor;
    let (allowed, visible) = match actor.kind {
        ActorKind::System | ActorKind::Runner => (true, true),
        ActorKind::Run => {
            let own = match (&actor.run, &target.workspace) {
                (Some(scope), Some(workspace)) => scope.workspace == *workspace,
                (Some(_), None) => permission == Permission::EnvironmentsRead,
                (None, _) => false,
            };
            (own && RUN_PERMISSIONS.contains(&permission), own)
        }
        ActorKind::User => {
            let own = target.kind == "users" && target.id == actor.id;
            let held = actor.grants.on(&target);
            let allowed = held.contains(permission) || (own && is_everybodys(permission));
            let visible = || own || held.contains(reading(&target, permission));
            (allowed, allowed || visible())
        }
        ActorKind::ServiceAccount | ActorKind::Team | ActorKind::Environment => {
            let held = actor.grants.on(&target);
            let allowed = held.contains(permission) && permission != Permission::TokensManageOwn;
            let visible = || held.contains(reading(&target, permission));
            (allowed, allowed || visible())
        }
    };
    if allowed {
        Ok(Authorized { permission, target })
    } else {
        Err(Denied {
            permission,
            target,
            actor: actor.name.clone(),
            visible,
        })
    }
}

/// As [`authorize`], for a list of what an environment has: who may see a part of it gets that part.
///
/// # Errors
/// [`Denied`] for who may see none of it.
pub fn authorize_list(
    ctx: &Context,
    permission: Permission,
    target: Target,
) -> Result<Visible, Denied> {
    let part = match &target.environment {
        Some(environment) if ctx.actor.has_grants() => {
            ctx.actor.grants.visible_in(permission, environment)
        }
        Some(_) | None => None,
    };
    match part {
        Some(part) => Ok(part),
        None => authorize(ctx, permission, target).map(|_| Visible::All),
    }
}

/// As [`authorize`], for a list of the account's things that everybody with grants may ask for: each
/// gets what they may see, be it nothing.
///
/// # Errors
/// [`Denied`] for who has no grants by nature.
pub fn authorize_filtered(
    ctx: &Context,
    permission: Permission,
    target: Target,
) -> Result<Visible, Denied> {
    if ctx.actor.has_grants() {
        return Ok(ctx.actor.grants.visible(permission));
    }
    authorize(ctx, permission, target).map(|_| Visible::All)
}

/// What every user may do with themselves.
fn is_everybodys(permission: Permission) -> bool {
    matches!(
        permission,
        Permission::UsersRead | Permission::TokensManageOwn
    )
}

/// The permission that makes an object visible: who has it and not the one that is asked for is told
/// so, everybody else that there is no such thing.
fn reading(target: &Target, asked: Permission) -> Permission {
    match target.kind {
        "accounts" => Permission::AccountsRead,
        "organizations" | "environments" => Permission::EnvironmentsRead,
        "projects" => Permission::ProjectsRead,
        "workspaces" => Permission::WorkspacesRead,
        "runs" => Permission::RunsRead,
        "vars" => Permission::VariablesRead,
        "configuration-versions" => Permission::ConfigurationVersionsRead,
        "users" => Permission::UsersRead,
        "teams" => Permission::TeamsRead,
        "agent-pools" | "agents" => Permission::RunnerPoolsRead,
        "approval-rules" => Permission::ApprovalRulesRead,
        "cost-limits" => Permission::CostLimitsRead,
        "cost-adjustments" => Permission::CostPricesRead,
        "audit-streams" => Permission::AuditStreamsRead,
        "policy-groups" | "policies" | "policy-data-documents" | "fetches" => {
            Permission::PolicyGroupsRead
        }
        // Others name their things as permissions do; what has no such permission is seen by who
        // may do what was asked for, and by nobody else.
        _ => Permission::ALL
            .iter()
            .copied()
            .find(|it| it.resource() == asked.resource() && it.action() == "read")
            .unwrap_or(asked),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::ids::{AccountId, JobId, RunId};
    use domain::system_role::SystemRole;

    use super::*;
    use crate::clock::Clock;
    use crate::context::{Actor, RunScope};
    use crate::iam::effective::Grants;

    fn caller(kind: ActorKind, role: Option<SystemRole>, run: Option<RunScope>) -> Context {
        let account = AccountId::random();
        let mut grants = Grants::default();
        if let Some(role) = role {
            grants.add(&Place::Account, &role.permissions());
        }
        let actor = Actor {
            kind,
            grants: Arc::new(grants),
            run,
            ..Actor::system(&account, "someone")
        };
        Context::new(actor, Clock::default())
    }

    #[test]
    fn a_reader_reads_and_changes_nothing() {
        let ctx = caller(ActorKind::User, Some(SystemRole::ReadOnly), None);
        let ask = |permission| authorize(&ctx, permission, Target::new("workspaces", "ws-1"));
        assert!(ask(Permission::WorkspacesRead).is_ok());
        assert!(ask(Permission::WorkspacesDelete).unwrap_err().visible);
        assert!(ask(Permission::StateVersionsRead).unwrap_err().visible);
    }

    #[test]
    fn an_admin_does_everything_but_what_is_the_operators() {
        let ctx = caller(ActorKind::User, Some(SystemRole::Admin), None);
        for permission in Permission::ALL.iter().copied() {
            let answer = authorize(&ctx, permission, Target::new("workspaces", "ws-1"));
            let operators = permission == Permission::AccountsLimitRuns;
            assert_eq!(answer.is_ok(), !operators, "{permission}");
        }
    }

    #[test]
    fn a_run_sees_its_own_workspace_only() {
        let own = WorkspaceId::random();
        let scope = RunScope {
            run: RunId::random(),
            job: JobId::random(),
            workspace: own.clone(),
            epoch: 1,
        };
        let ctx = caller(ActorKind::Run, None, Some(scope));
        let ask = |permission, workspace: &WorkspaceId| {
            authorize(
                &ctx,
                permission,
                Target::new("workspaces", workspace).in_workspace(workspace),
            )
        };
        assert!(ask(Permission::WorkspacesRead, &own).is_ok());
        assert!(ask(Permission::WorkspacesDelete, &own).unwrap_err().visible);
        assert!(
            !ask(Permission::WorkspacesRead, &WorkspaceId::random())
                .unwrap_err()
                .visible
        );
    }

    #[test]
    fn without_grants_there_is_only_oneself() {
        let ctx = caller(ActorKind::User, None, None);
        let ask = |kind, id, permission| authorize(&ctx, permission, Target::new(kind, id));
        assert!(
            !ask("runs", "run-1", Permission::RunsRead)
                .unwrap_err()
                .visible
        );
        assert!(ask("users", &ctx.actor.id, Permission::TokensManageOwn).is_ok());
        assert!(
            ask("users", &ctx.actor.id, Permission::UsersUpdate)
                .unwrap_err()
                .visible
        );
        assert!(
            !ask("users", "user-2", Permission::UsersRead)
                .unwrap_err()
                .visible
        );
    }
}
