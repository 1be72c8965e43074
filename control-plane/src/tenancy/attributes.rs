//! Environments and projects on the wire. Source: TFE contract, sections 2.1 and 4.3.

use domain::permission::Permission;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{Environment, Project};
use crate::clock::Timestamp;
use crate::context::Context;
use crate::http::attributes::{Attributes, Words};
use crate::http::jsonapi::{Resource, nullable, zulu};
use crate::iam::{Target, authorize};

/// Attributes of type `organizations`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct EnvironmentAttributes {
    pub name: String,
    pub external_id: String,
    pub email: String,
    pub default_execution_mode: &'static str,
    pub collaborator_auth_policy: &'static str,
    pub cost_estimation_enabled: bool,
    /// How many runs of the environment may be at work at a time; null: as many as the account may.
    pub max_concurrent_runs: Option<i64>,
    pub permissions: EnvironmentPermissions,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct EnvironmentPermissions {
    pub can_update: bool,
    pub can_destroy: bool,
    pub can_access_via_teams: bool,
    pub can_create_module: bool,
    pub can_create_team: bool,
    pub can_create_workspace: bool,
    pub can_create_workspace_migration: bool,
    pub can_create_project: bool,
    pub can_manage_users: bool,
    pub can_manage_subscription: bool,
    pub can_manage_sso: bool,
    pub can_update_oauth: bool,
    pub can_update_sentinel: bool,
    pub can_update_ssh_keys: bool,
    pub can_update_api_token: bool,
    pub can_traverse: bool,
    pub can_start_trial: bool,
    pub can_update_agent_pools: bool,
    pub can_manage_tags: bool,
    pub can_read_run_tasks: bool,
    pub can_manage_run_tasks: bool,
}

/// An environment as a JSON:API object; its name is its id.
pub fn environment(ctx: &Context, environment: &Environment) -> Resource<EnvironmentAttributes> {
    let may = |permission| {
        let target =
            Target::new("organizations", &environment.name).in_environment(&environment.id);
        authorize(ctx, permission, target).is_ok()
    };
    let attributes = EnvironmentAttributes {
        name: environment.name.clone(),
        external_id: environment.id.to_string(),
        email: environment.email.clone(),
        default_execution_mode: "remote",
        collaborator_auth_policy: "password",
        cost_estimation_enabled: false,
        max_concurrent_runs: environment.max_concurrent_runs,
        permissions: EnvironmentPermissions {
            can_update: may(Permission::EnvironmentsUpdate),
            can_destroy: may(Permission::EnvironmentsDelete),
            can_access_via_teams: false,
            can_create_module: false,
            can_create_team: false,
            can_create_workspace: may(Permission::WorkspacesCreate),
            can_create_workspace_migration: false,
            can_create_project: may(Permission::ProjectsCreate),
            can_manage_users: may(Permission::UsersUpdate),
            can_manage_subscription: false,
            can_manage_sso: false,
            can_update_oauth: false,
            can_update_sentinel: false,
            can_update_ssh_keys: false,
            can_update_api_token: false,
            can_traverse: true,
            can_start_trial: false,
            can_update_agent_pools: may(Permission::RunnerPoolsManage),
            can_manage_tags: may(Permission::WorkspacesUpdate),
            can_read_run_tasks: false,
            can_manage_run_tasks: false,
        },
        created_at: environment.created_at,
    };
    Resource::new("organizations", &environment.name, attributes).link(
        "self",
        format!("/api/v2/organizations/{}", environment.name),
    )
}

/// Which parts of the product there are. The CLI reads `operations`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Entitlements {
    pub operations: bool,
    pub state_storage: bool,
    pub agents: bool,
    pub audit_logging: bool,
    pub cost_estimation: bool,
    pub global_run_tasks: bool,
    pub policy_enforcement: bool,
    pub private_module_registry: bool,
    pub private_policy_agents: bool,
    pub private_run_tasks: bool,
    pub private_vcs: bool,
    pub run_tasks: bool,
    pub self_serve_billing: bool,
    pub sentinel: bool,
    pub sso: bool,
    pub teams: bool,
    pub usage_reporting: bool,
    pub vcs_integrations: bool,
}

impl Entitlements {
    pub fn current() -> Self {
        Self {
            operations: true,
            state_storage: true,
            agents: true,
            audit_logging: true,
            cost_estimation: false,
            global_run_tasks: false,
            policy_enforcement: false,
            private_module_registry: false,
            private_policy_agents: false,
            private_run_tasks: false,
            private_vcs: false,
            run_tasks: false,
            self_serve_billing: false,
            sentinel: false,
            sso: false,
            teams: false,
            usage_reporting: false,
            vcs_integrations: false,
        }
    }
}

/// Attributes of type `projects`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ProjectAttributes {
    pub name: String,
    pub description: String,
    pub is_default: bool,
    pub permissions: ProjectPermissions,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ProjectPermissions {
    pub can_read: bool,
    pub can_update: bool,
    pub can_destroy: bool,
    pub can_create_workspace: bool,
}

/// A project as a JSON:API object.
pub fn project(
    ctx: &Context,
    environment: &Environment,
    project: &Project,
) -> Resource<ProjectAttributes> {
    let may = |permission| {
        let target = Target::new("projects", &project.id)
            .in_environment(&environment.id)
            .in_project(&project.id);
        authorize(ctx, permission, target).is_ok()
    };
    let attributes = ProjectAttributes {
        name: project.name.clone(),
        description: project.description.clone(),
        is_default: project.is_default,
        permissions: ProjectPermissions {
            can_read: true,
            can_update: may(Permission::ProjectsUpdate),
            can_destroy: may(Permission::ProjectsDelete),
            can_create_workspace: may(Permission::WorkspacesCreate),
        },
        created_at: project.created_at,
    };
    Resource::new("projects", &project.id, attributes).to_one(
        "organization",
        "organizations",
        Some(&environment.name),
    )
}

/// What a create or update of an environment may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct EnvironmentInput {
    pub name: Option<String>,
    pub email: Option<String>,
    /// At least 1; `null` takes the limit away.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<i64>)]
    pub max_concurrent_runs: Option<Option<i64>>,
}

impl Attributes for EnvironmentInput {
    const TYPES: &'static [&'static str] = &["organizations"];
    const WITHOUT_EFFECT: Words = &[
        ("assessments-enforced", &[]),
        ("allow-force-delete-workspaces", &[]),
        ("collaborator-auth-policy", &["password"]),
        ("cost-estimation-enabled", &[]),
        ("default-execution-mode", &["remote"]),
        ("enforce-hyok", &[]),
        ("global-module-sharing", &[]),
        ("global-provider-sharing", &[]),
        ("owners-team-saml-role-id", &[]),
        ("recoverable-items-enabled", &[]),
        ("saml-enabled", &[]),
        (
            "send-passing-statuses-for-untriggered-speculative-plans",
            &[],
        ),
        ("session-remember", &[]),
        ("session-timeout", &[]),
        ("stacks-default-execution-mode", &["remote"]),
        ("stacks-enabled", &[]),
        ("user-tokens-enabled", &["true"]),
    ];
    // Clients send `true` unless told otherwise. Both are about plans for commits, which there are
    // none of, so neither value says anything.
    const IGNORED: &'static [&'static str] = &[
        "aggregated-commit-status-enabled",
        "speculative-plan-management-enabled",
    ];
}

/// What a create or update of a project may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct ProjectInput {
    pub name: Option<String>,
    pub description: Option<String>,
}

impl Attributes for ProjectInput {
    const TYPES: &'static [&'static str] = &["projects"];
    const WITHOUT_EFFECT: Words = &[
        ("auto-destroy-activity-duration", &[]),
        ("default-execution-mode", &["remote"]),
        ("stacks-default-execution-mode", &["remote"]),
    ];
    // Which of the modes are the project's own: there is one for all.
    const IGNORED: &'static [&'static str] = &["setting-overwrites"];
}
