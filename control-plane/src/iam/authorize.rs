//! The one door: may this actor do this to that object?
//!
//! Returns a proof that the audit log asks for, so a change that forgot the check can't be recorded,
//! and a change that isn't recorded doesn't pass review.

use domain::access::{ActorKind, Role};
use domain::ids::{EnvironmentId, WorkspaceId};
use domain::permission::Permission;

use crate::context::Context;

/// The object an action is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The object's type as on the wire: `workspaces`, `runs`, …
    pub kind: &'static str,
    pub id: String,
    pub environment: Option<EnvironmentId>,
    pub workspace: Option<WorkspaceId>,
}

impl Target {
    pub fn new(kind: &'static str, id: impl ToString) -> Self {
        Self {
            kind,
            id: id.to_string(),
            environment: None,
            workspace: None,
        }
    }

    pub fn in_environment(mut self, id: &EnvironmentId) -> Self {
        self.environment = Some(id.clone());
        self
    }

    pub fn in_workspace(mut self, id: &WorkspaceId) -> Self {
        self.workspace = Some(id.clone());
        self
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
const RUN_PERMISSIONS: &[Permission] = &[
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
        ActorKind::User => match actor.role {
            Some(role) => (role_allows(role, permission), true),
            None => (false, false),
        },
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

/// Whether a member with this role may do `permission`: for deciding about somebody who is not the
/// caller, as when approvals are counted.
pub fn role_allows(role: Role, permission: Permission) -> bool {
    match role {
        Role::Admin => permission != Permission::AccountsLimitRuns,
        Role::Reader => is_reading(permission),
    }
}

/// Permissions that change nothing and show no secret.
fn is_reading(permission: Permission) -> bool {
    matches!(
        permission,
        Permission::AccountsRead
            | Permission::EnvironmentsRead
            | Permission::ProjectsRead
            | Permission::WorkspacesRead
            | Permission::VariablesRead
            | Permission::ConfigurationVersionsRead
            | Permission::RunsRead
            | Permission::StateVersionsReadOutputs
            | Permission::CostLimitsRead
            | Permission::CostPricesRead
            | Permission::UsersRead
            | Permission::TeamsRead
            | Permission::IdentityProvidersRead
            | Permission::ApprovalRulesRead
            | Permission::TokensManageOwn
            | Permission::RunnerPoolsRead
            | Permission::PolicyGroupsRead
    )
}

#[cfg(test)]
mod tests {
    use domain::ids::{AccountId, JobId, RunId};

    use super::*;
    use crate::clock::Clock;
    use crate::context::{Actor, RunScope};

    fn caller(kind: ActorKind, role: Option<Role>, run: Option<RunScope>) -> Context {
        let account = AccountId::random();
        let actor = Actor {
            kind,
            role,
            run,
            ..Actor::system(&account, "someone")
        };
        Context::new(actor, Clock::default())
    }

    #[test]
    fn a_reader_reads_and_changes_nothing() {
        let ctx = caller(ActorKind::User, Some(Role::Reader), None);
        for permission in Permission::ALL.iter().copied() {
            let verb = permission.as_str().split(':').next_back().unwrap();
            let reading = verb.starts_with("read") || permission == Permission::TokensManageOwn;
            let secret = matches!(
                permission,
                Permission::PlansReadJson
                    | Permission::PolicyChecksReadInput
                    | Permission::StateVersionsRead
                    | Permission::AuditRead
                    | Permission::AuditStreamsRead
            );
            let answer = authorize(&ctx, permission, Target::new("workspaces", "ws-1"));
            assert_eq!(answer.is_ok(), reading && !secret, "{permission}");
        }
    }

    #[test]
    fn an_admin_does_everything_but_what_is_the_operators() {
        let ctx = caller(ActorKind::User, Some(Role::Admin), None);
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
    fn without_membership_nothing_exists() {
        let ctx = caller(ActorKind::User, None, None);
        let denied =
            authorize(&ctx, Permission::RunsRead, Target::new("runs", "run-1")).unwrap_err();
        assert!(!denied.visible);
    }
}
