//! What can be allowed: `resource:action`. The catalogue that roles are made of.

use crate::access::Scope;
use crate::text_enum::text_enum;

/// Permissions about the account as a whole.
const ACCOUNT: &[Scope] = &[Scope::Account];
/// What an environment has one of, or makes.
const ENVIRONMENT: &[Scope] = &[Scope::Account, Scope::Environment];
const PROJECT: &[Scope] = &[Scope::Account, Scope::Environment, Scope::Project];
/// What is about workspaces and what they have.
const ANY: &[Scope] = Scope::ALL;
/// The installation's to say: no role of an account has it.
const NOWHERE: &[Scope] = &[];

macro_rules! catalogue {
    ($($variant:ident = $word:literal in $scopes:ident: $text:literal;)*) => {
        text_enum! {
            /// One thing that somebody may do. Roles are sets of these.
            pub enum Permission {
                $(#[doc = $text] $variant = $word,)*
            }
        }

        impl Permission {
            /// What it allows, for people.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The scopes at which a grant can give it; at others it is left out of what a role gives.
            pub const fn scopes(self) -> &'static [Scope] {
                match self {
                    $(Self::$variant => $scopes,)*
                }
            }
        }
    };
}

catalogue! {
    AccountsRead = "accounts:read" in ACCOUNT: "See the account and its settings.";
    AccountsRotateKeys = "accounts:rotate-keys" in ACCOUNT: "Give the account a new data key.";
    AccountsLimitRuns = "accounts:limit-runs" in NOWHERE: "Say how many runs an account may have at work: the operator's, not the account's.";
    AccessRulesRead = "access-rules:read" in ACCOUNT: "See the account's rules for tokens and addresses.";
    AccessRulesUpdate = "access-rules:update" in ACCOUNT: "Change how long tokens may live and from which addresses the account is reached.";
    RolesRead = "roles:read" in ACCOUNT: "See roles and the permissions in them.";
    RolesCreate = "roles:create" in ACCOUNT: "Make roles out of permissions one has oneself.";
    RolesUpdate = "roles:update" in ACCOUNT: "Change roles, within the permissions one has oneself.";
    RolesDelete = "roles:delete" in ACCOUNT: "Delete roles that nobody is granted.";
    AccessPoliciesRead = "access-policies:read" in ANY: "See who is granted what, and who may do what and why.";
    AccessPoliciesManage = "access-policies:manage" in ANY: "Grant roles and take them away, within the permissions one has oneself.";
    ServiceAccountsRead = "service-accounts:read" in ACCOUNT: "See service accounts and their tokens, without the texts.";
    ServiceAccountsManage = "service-accounts:manage" in ACCOUNT: "Make, change and delete service accounts and their tokens.";
    OwnershipBypass = "ownership:bypass" in ACCOUNT: "Change what others own.";
    EnvironmentsRead = "environments:read" in ENVIRONMENT: "See environments.";
    EnvironmentsCreate = "environments:create" in ACCOUNT: "Make environments.";
    EnvironmentsUpdate = "environments:update" in ENVIRONMENT: "Change an environment's settings.";
    EnvironmentsDelete = "environments:delete" in ENVIRONMENT: "Delete empty environments.";
    EnvironmentsManageToken = "environments:manage-token" in ENVIRONMENT: "Make and revoke the token of an environment.";
    ProjectsRead = "projects:read" in PROJECT: "See projects.";
    ProjectsCreate = "projects:create" in ENVIRONMENT: "Make projects.";
    ProjectsUpdate = "projects:update" in PROJECT: "Change projects.";
    ProjectsDelete = "projects:delete" in PROJECT: "Delete empty projects.";
    WorkspacesRead = "workspaces:read" in ANY: "See workspaces, their settings and tags.";
    WorkspacesCreate = "workspaces:create" in PROJECT: "Make workspaces.";
    WorkspacesUpdate = "workspaces:update" in ANY: "Change a workspace's settings and tags.";
    WorkspacesDelete = "workspaces:delete" in ANY: "Delete workspaces.";
    WorkspacesLock = "workspaces:lock" in ANY: "Lock a workspace and unlock it again.";
    WorkspacesForceUnlock = "workspaces:force-unlock" in ANY: "Unlock a workspace that somebody else locked.";
    WorkspacesLinkProviderConfiguration = "workspaces:link-provider-configuration" in ANY: "Let a workspace use a provider configuration.";
    VariablesRead = "variables:read" in ANY: "See variables; the values of sensitive ones nobody sees.";
    VariablesUpdate = "variables:update" in ANY: "Make, change and delete variables.";
    ConfigurationVersionsRead = "configuration-versions:read" in ANY: "See configuration versions.";
    ConfigurationVersionsCreate = "configuration-versions:create" in ANY: "Upload configurations.";
    RunsRead = "runs:read" in ANY: "See runs, their logs, plans, checks and estimates.";
    RunsCreate = "runs:create" in ANY: "Start runs.";
    RunsApply = "runs:apply" in ANY: "Confirm runs and start ones that apply by themselves.";
    RunsApprove = "runs:approve" in ANY: "Approve runs. It counts where an approval rule names no team; members of its team may in any case.";
    RunsCancel = "runs:cancel" in ANY: "Cancel and discard runs.";
    RunsForceCancel = "runs:force-cancel" in ANY: "Give up on a run that doesn't end.";
    RunsResolve = "runs:resolve" in ANY: "Decide about uncertain and quarantined states.";
    PolicyChecksOverride = "policy-checks:override" in ANY: "Let a run pass in spite of a soft failure.";
    PolicyChecksReadInput = "policy-checks:read-input" in ANY: "Read the sanitised input of a run's policies, for writing tests.";
    PlansReadJson = "plans:read-json" in ANY: "Read the JSON plan with sensitive values in clear.";
    StateVersionsRead = "state-versions:read" in ANY: "Read states, with the secrets in them.";
    StateVersionsReadOutputs = "state-versions:read-outputs" in ANY: "See that states are there, and their outputs that are not sensitive.";
    StateVersionsCreateOutsideRuns = "state-versions:create-outside-runs" in ANY: "Write states outside a run, which walks around the gates: `state push`, local execution.";
    CostLimitsRead = "cost-limits:read" in ANY: "See cost limits.";
    CostLimitsManage = "cost-limits:manage" in ANY: "Make, change and delete cost limits.";
    CostPricesRead = "cost-prices:read" in ANY: "See discounts, prices and usage that estimates are made with.";
    CostPricesManage = "cost-prices:manage" in ANY: "Change discounts, prices and usage that estimates are made with.";
    ProviderConfigurationsRead = "provider-configurations:read" in ENVIRONMENT: "See provider configurations; their secrets nobody sees.";
    ProviderConfigurationsManage = "provider-configurations:manage" in ENVIRONMENT: "Make, change and delete provider configurations.";
    UsersRead = "users:read" in ACCOUNT: "See the members of the account.";
    UsersUpdate = "users:update" in ACCOUNT: "Add and remove members, and revoke their tokens.";
    TeamsRead = "teams:read" in ENVIRONMENT: "See teams and who is in them.";
    TeamsManage = "teams:manage" in ENVIRONMENT: "Make, change and delete teams, their members and their tokens.";
    IdentityProvidersRead = "identity-providers:read" in ACCOUNT: "See where members sign in, and whether they must.";
    IdentityProvidersManage = "identity-providers:manage" in ACCOUNT: "Say where people come from and whether they must; whoever may can let anybody in.";
    ApprovalRulesRead = "approval-rules:read" in ANY: "See how many must approve a run.";
    ApprovalRulesManage = "approval-rules:manage" in ANY: "Say how many must approve a run.";
    TokensManageOwn = "tokens:manage-own" in ACCOUNT: "Make and revoke one's own tokens; every member may.";
    RunnerPoolsRead = "runner-pools:read" in ACCOUNT: "See runner pools and runners.";
    RunnerPoolsManage = "runner-pools:manage" in ACCOUNT: "Make, change and delete runner pools, join tokens and runners.";
    PolicyGroupsRead = "policy-groups:read" in ACCOUNT: "See policies, their documents and what they would say.";
    PolicyGroupsCreate = "policy-groups:create" in ACCOUNT: "Make policy groups and documents.";
    PolicyGroupsUpdate = "policy-groups:update" in ACCOUNT: "Change policies, documents and where they hold.";
    PolicyGroupsDelete = "policy-groups:delete" in ACCOUNT: "Delete policies and documents.";
    AuditRead = "audit:read" in ACCOUNT: "Read the audit log.";
    AuditSetRetention = "audit:set-retention" in ACCOUNT: "Say how long the records of the account are kept.";
    AuditStreamsRead = "audit-streams:read" in ACCOUNT: "See where the audit log is sent to.";
    AuditStreamsManage = "audit-streams:manage" in ACCOUNT: "Say where the audit log is sent to.";
}

impl Permission {
    /// What stands before the colon.
    pub fn resource(self) -> &'static str {
        self.halves().0
    }

    /// What stands after the colon.
    pub fn action(self) -> &'static str {
        self.halves().1
    }

    fn halves(self) -> (&'static str, &'static str) {
        self.as_str().split_once(':').unwrap_or((self.as_str(), ""))
    }

    /// Whether a grant at `scope` can give it.
    pub fn applies_at(self, scope: Scope) -> bool {
        self.scopes().contains(&scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_is_a_resource_and_an_action_and_says_what_it_allows() {
        for permission in Permission::ALL.iter().copied() {
            assert!(!permission.resource().is_empty() && !permission.action().is_empty());
            assert!(permission.description().ends_with('.'), "{permission}");
        }
    }

    #[test]
    fn what_a_narrow_grant_can_give_a_wide_one_can() {
        for permission in Permission::ALL.iter().copied() {
            let scopes = permission.scopes();
            assert!(Scope::ALL.starts_with(scopes), "{permission}: {scopes:?}");
        }
    }
}
