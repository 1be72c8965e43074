//! What can be allowed: `resource:action`. The catalogue that roles are made of.

use crate::text_enum::text_enum;

text_enum! {
    /// One thing that somebody may do. Roles are sets of these.
    pub enum Permission {
        AccountsRead = "accounts:read",
        AccountsRotateKeys = "accounts:rotate-keys",
        /// How many runs an account may have at work: the installation's to say, not the account's.
        AccountsLimitRuns = "accounts:limit-runs",
        EnvironmentsRead = "environments:read",
        EnvironmentsCreate = "environments:create",
        EnvironmentsUpdate = "environments:update",
        EnvironmentsDelete = "environments:delete",
        ProjectsRead = "projects:read",
        ProjectsCreate = "projects:create",
        ProjectsUpdate = "projects:update",
        ProjectsDelete = "projects:delete",
        WorkspacesRead = "workspaces:read",
        WorkspacesCreate = "workspaces:create",
        WorkspacesUpdate = "workspaces:update",
        WorkspacesDelete = "workspaces:delete",
        WorkspacesLock = "workspaces:lock",
        WorkspacesForceUnlock = "workspaces:force-unlock",
        VariablesRead = "variables:read",
        VariablesUpdate = "variables:update",
        ConfigurationVersionsRead = "configuration-versions:read",
        ConfigurationVersionsCreate = "configuration-versions:create",
        RunsRead = "runs:read",
        RunsCreate = "runs:create",
        RunsApply = "runs:apply",
        /// Counts where an approval rule names no team; members of its team may in any case.
        RunsApprove = "runs:approve",
        RunsCancel = "runs:cancel",
        RunsForceCancel = "runs:force-cancel",
        RunsResolve = "runs:resolve",
        /// Letting a run pass in spite of a soft failure.
        PolicyChecksOverride = "policy-checks:override",
        /// The sanitised input of a run's policies, for writing tests.
        PolicyChecksReadInput = "policy-checks:read-input",
        /// The JSON plan with sensitive values in clear.
        PlansReadJson = "plans:read-json",
        StateVersionsRead = "state-versions:read",
        StateVersionsReadOutputs = "state-versions:read-outputs",
        /// State written outside a run walks around the gates: `state push`, local execution.
        StateVersionsCreateOutsideRuns = "state-versions:create-outside-runs",
        CostLimitsRead = "cost-limits:read",
        CostLimitsManage = "cost-limits:manage",
        /// Discounts, prices and usage that estimates are made with.
        CostPricesRead = "cost-prices:read",
        CostPricesManage = "cost-prices:manage",
        UsersRead = "users:read",
        UsersUpdate = "users:update",
        TeamsRead = "teams:read",
        TeamsManage = "teams:manage",
        IdentityProvidersRead = "identity-providers:read",
        /// Where people come from, and whether they must: whoever may change it can let anybody in.
        IdentityProvidersManage = "identity-providers:manage",
        ApprovalRulesRead = "approval-rules:read",
        ApprovalRulesManage = "approval-rules:manage",
        TokensManageOwn = "tokens:manage-own",
        RunnerPoolsRead = "runner-pools:read",
        RunnerPoolsManage = "runner-pools:manage",
        PolicyGroupsRead = "policy-groups:read",
        PolicyGroupsCreate = "policy-groups:create",
        PolicyGroupsUpdate = "policy-groups:update",
        PolicyGroupsDelete = "policy-groups:delete",
        AuditRead = "audit:read",
        /// How long the records of the account are kept.
        AuditSetRetention = "audit:set-retention",
        AuditStreamsRead = "audit-streams:read",
        AuditStreamsManage = "audit-streams:manage",
    }
}
