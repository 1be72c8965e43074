//! A workspace on the wire: what clients read and write. Source: TFE contract, sections 0, 2, 4.

use domain::ids::RunnerPoolId;
use domain::permission::Permission;
use domain::workspace::ExecutionMode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::WorkspaceError;
use super::model::{GitSource, Workspace};
use super::service::authorize_on;
use super::settings::SettingsChange;
use super::tags::TagBinding;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::http::attributes::{Attributes, Words};
use crate::http::jsonapi::{nullable, zulu};

/// The mode of a workspace whose runs are executed on a pool of its own choice.
pub(super) const AGENT: &str = "agent";

/// What a caller may do on a workspace. Clients read every one without looking whether it is there.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Permissions {
    pub can_update: bool,
    pub can_destroy: bool,
    pub can_queue_run: bool,
    pub can_queue_apply: bool,
    pub can_queue_destroy: bool,
    pub can_read_run: bool,
    pub can_read_settings: bool,
    pub can_read_variable: bool,
    pub can_update_variable: bool,
    pub can_read_state_versions: bool,
    pub can_read_state_outputs: bool,
    pub can_create_state_versions: bool,
    pub can_lock: bool,
    pub can_unlock: bool,
    pub can_force_unlock: bool,
    pub can_force_delete: bool,
    pub can_manage_tags: bool,
    pub can_manage_run_tasks: bool,
    pub can_read_assessment_results: bool,
}

impl Permissions {
    pub fn of(ctx: &Context, workspace: &Workspace) -> Self {
        let may = |permission| authorize_on(ctx, permission, workspace).is_ok();
        Self {
            can_update: may(Permission::WorkspacesUpdate),
            can_destroy: may(Permission::WorkspacesDelete),
            can_queue_run: may(Permission::RunsCreate),
            can_queue_apply: may(Permission::RunsApply),
            can_queue_destroy: may(Permission::RunsApply),
            can_read_run: may(Permission::RunsRead),
            can_read_settings: may(Permission::WorkspacesRead),
            can_read_variable: may(Permission::VariablesRead),
            can_update_variable: may(Permission::VariablesUpdate),
            can_read_state_versions: may(Permission::StateVersionsRead),
            can_read_state_outputs: may(Permission::StateVersionsReadOutputs),
            can_create_state_versions: may(Permission::StateVersionsCreateOutsideRuns),
            can_lock: may(Permission::WorkspacesLock),
            can_unlock: may(Permission::WorkspacesLock),
            can_force_unlock: may(Permission::WorkspacesForceUnlock),
            can_force_delete: may(Permission::WorkspacesDelete),
            can_manage_tags: may(Permission::WorkspacesUpdate),
            can_manage_run_tasks: false,
            can_read_assessment_results: false,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Actions {
    pub is_destroyable: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct SettingOverwrites {
    pub execution_mode: bool,
    pub agent_pool: bool,
}

/// Attributes of type `workspaces`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct WorkspaceAttributes {
    pub name: String,
    pub description: String,
    pub environment: String,
    pub auto_apply: bool,
    pub allow_destroy_plan: bool,
    /// `remote`, `local`, or `agent`: remote, on a pool of its own choice.
    pub execution_mode: &'static str,
    /// Older clients' word for an execution mode other than `local`.
    pub operations: bool,
    pub engine: String,
    pub terraform_version: String,
    pub working_directory: String,
    pub speculative_enabled: bool,
    pub queue_all_runs: bool,
    pub structured_run_output_enabled: bool,
    pub global_remote_state: bool,
    pub file_triggers_enabled: bool,
    pub state_mode: String,
    pub executor: String,
    pub image: String,
    pub source: &'static str,
    pub source_name: Option<String>,
    pub source_url: Option<String>,
    pub locked: bool,
    /// Why, since when and by whom it is locked.
    pub lock_reason: Option<String>,
    #[schema(value_type = Option<String>)]
    pub locked_at: Option<Timestamp>,
    pub locked_by_name: Option<String>,
    pub resource_count: i64,
    pub tag_names: Vec<String>,
    /// Where the configuration is fetched from; its token is write-only.
    #[schema(value_type = Option<Object>)]
    pub git: Option<GitSource>,
    #[schema(value_type = Option<Object>)]
    pub vcs_repo: Option<()>,
    pub actions: Actions,
    pub permissions: Permissions,
    pub setting_overwrites: SettingOverwrites,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub updated_at: Timestamp,
}

impl WorkspaceAttributes {
    pub fn new(ctx: &Context, workspace: &Workspace, tags: &[TagBinding]) -> Self {
        let settings = workspace.settings.clone();
        let lock = workspace.lock.as_ref();
        Self {
            name: workspace.name.clone(),
            description: settings.description,
            environment: "default".to_owned(),
            auto_apply: settings.auto_apply,
            allow_destroy_plan: settings.allow_destroy_plan,
            execution_mode: match (settings.execution_mode, &workspace.pool_id) {
                (ExecutionMode::Remote, Some(_)) => AGENT,
                (mode, _) => mode.as_str(),
            },
            operations: settings.execution_mode != ExecutionMode::Local,
            engine: settings.engine.to_string(),
            terraform_version: settings.terraform_version,
            working_directory: settings.working_directory,
            speculative_enabled: settings.speculative_enabled,
            queue_all_runs: settings.queue_all_runs,
            structured_run_output_enabled: settings.structured_run_output,
            global_remote_state: settings.global_remote_state,
            file_triggers_enabled: false,
            state_mode: settings.state_mode,
            executor: settings.executor,
            image: settings.image,
            source: "tfe-api",
            source_name: settings.source_name,
            source_url: settings.source_url,
            locked: lock.is_some(),
            lock_reason: lock.map(|it| it.reason.clone()),
            locked_at: lock.map(|it| it.since),
            locked_by_name: lock.map(|it| it.holder_name.clone()),
            resource_count: workspace.resource_count,
            tag_names: tags
                .iter()
                .filter(|tag| tag.value.is_empty())
                .map(|tag| tag.key.clone())
                .collect(),
            git: workspace.git.clone(),
            vcs_repo: None,
            actions: Actions {
                is_destroyable: true,
            },
            permissions: Permissions::of(ctx, workspace),
            setting_overwrites: SettingOverwrites {
                execution_mode: true,
                agent_pool: workspace.pool_id.is_some(),
            },
            created_at: workspace.created_at,
            updated_at: workspace.updated_at,
        }
    }
}

/// What a create or update may carry. Absent leaves a thing as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct WorkspaceInput {
    pub name: Option<String>,
    pub description: Option<String>,
    pub auto_apply: Option<bool>,
    pub allow_destroy_plan: Option<bool>,
    pub execution_mode: Option<String>,
    pub operations: Option<bool>,
    pub engine: Option<String>,
    pub terraform_version: Option<String>,
    pub working_directory: Option<String>,
    pub speculative_enabled: Option<bool>,
    pub queue_all_runs: Option<bool>,
    pub structured_run_output_enabled: Option<bool>,
    pub global_remote_state: Option<bool>,
    pub state_mode: Option<String>,
    pub executor: Option<String>,
    pub image: Option<String>,
    pub source_name: Option<String>,
    pub source_url: Option<String>,
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub agent_pool_id: Option<Option<RunnerPoolId>>,
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<Object>)]
    pub git: Option<Option<GitInput>>,
}

impl Attributes for WorkspaceInput {
    const TYPES: &'static [&'static str] = &["workspaces"];
    const RELATIONS: Words = &[
        ("agent-pool", &["agent-pools"]),
        ("project", &["projects"]),
        ("tag-bindings", &["tag-bindings"]),
        ("tags", &["tags"]),
    ];
    const WITHOUT_EFFECT: Words = &[
        ("assessments-enabled", &[]),
        ("auto-apply-run-trigger", &[]),
        ("auto-destroy-activity-duration", &[]),
        ("auto-destroy-at", &[]),
        ("hyok-enabled", &[]),
        ("migration-environment", &[]),
        ("project-remote-state", &[]),
        ("trigger-patterns", &[]),
        ("trigger-prefixes", &[]),
        ("vcs-repo", &[]),
    ];
    // Without triggers and auto-destroy these two change nothing; a mode that is sent overwrites
    // the default by itself.
    const IGNORED: &'static [&'static str] = &[
        "file-triggers-enabled",
        "inherits-project-auto-destroy",
        "setting-overwrites",
    ];
}

/// A git source as written: with its token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct GitInput {
    pub url: String,
    #[serde(default)]
    pub reference: String,
    #[serde(default)]
    pub username: String,
    #[schema(value_type = Option<String>)]
    pub token: Option<domain::Secret>,
    pub ca_pem: Option<String>,
    #[serde(default)]
    pub submodules: bool,
    pub known_hosts: Option<String>,
}

impl WorkspaceInput {
    /// Whether it asks for a pool of its own choice.
    pub(super) fn is_agent(&self) -> bool {
        self.execution_mode.as_deref() == Some(AGENT)
    }

    /// The settings part.
    ///
    /// # Errors
    /// [`WorkspaceError::Invalid`] when `operations` and `execution-mode` are both given.
    pub fn settings(&self) -> Result<SettingsChange, WorkspaceError> {
        let mode = match (self.execution_mode.clone(), self.operations) {
            (Some(_), Some(_)) => {
                return Err(WorkspaceError::invalid(
                    "operations",
                    "give either `operations` or `execution-mode`, not both",
                ));
            }
            (Some(mode), None) if mode == AGENT => Some("remote".to_owned()),
            (None, Some(true)) => Some("remote".to_owned()),
            (None, Some(false)) => Some("local".to_owned()),
            (mode, None) => mode,
        };
        Ok(SettingsChange {
            description: self.description.clone(),
            auto_apply: self.auto_apply,
            allow_destroy_plan: self.allow_destroy_plan,
            execution_mode: mode,
            engine: self.engine.clone(),
            terraform_version: self.terraform_version.clone(),
            working_directory: self.working_directory.clone(),
            speculative_enabled: self.speculative_enabled,
            queue_all_runs: self.queue_all_runs,
            structured_run_output: self.structured_run_output_enabled,
            global_remote_state: self.global_remote_state,
            state_mode: self.state_mode.clone(),
            executor: self.executor.clone(),
            image: self.image.clone(),
            source_name: self.source_name.clone(),
            source_url: self.source_url.clone(),
        })
    }
}
