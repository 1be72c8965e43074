//! What a run is: what was asked for, where it stands, what came out.

use std::collections::BTreeMap;

use domain::access::ActorKind;
use domain::ids::{
    AccountId, ApplyId, BlobId, ConfigurationVersionId, EnvironmentId, PlanId, ProjectId, RunId,
    WorkspaceId,
};
use domain::run::{RunSource, RunStatus};
use serde::{Deserialize, Serialize};

use super::machine::RunState;
use crate::clock::Timestamp;
use crate::costs::RunPlan;
use crate::iam::Visible;

#[derive(Debug, Clone)]
pub struct Run {
    pub id: RunId,
    pub account_id: AccountId,
    pub environment_id: EnvironmentId,
    /// The project that the workspace is in now.
    pub project_id: ProjectId,
    pub workspace_id: WorkspaceId,
    pub configuration_version_id: ConfigurationVersionId,
    pub plan_id: PlanId,
    pub apply_id: ApplyId,
    /// Rises by one per workspace: the order of runs.
    pub number: i64,
    /// Raised by every transition: what a compare-and-set compares.
    pub version: i64,
    pub state: RunState,
    pub request: RunRequest,
    pub source: RunSource,
    pub plan_result: Option<PlanResult>,
    pub apply_result: Option<ApplyResult>,
    pub error: Option<String>,
    /// When each status was first reached, by its wire name with dashes.
    pub timestamps: BTreeMap<String, Timestamp>,
    pub plan_archive: Option<BlobId>,
    pub plan_json: Option<BlobId>,
    pub plan_redacted: Option<BlobId>,
    pub created_by_kind: ActorKind,
    pub created_by_id: String,
    pub created_by_name: String,
    pub created_at: Timestamp,
}

impl From<&Run> for RunPlan {
    fn from(run: &Run) -> Self {
        Self {
            run: run.id.clone(),
            environment: run.environment_id.clone(),
            workspace: run.workspace_id.clone(),
            plan_json: run.plan_json.clone(),
        }
    }
}

impl Run {
    pub fn status(&self) -> RunStatus {
        self.state.status
    }
}

/// What was asked for. Never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequest {
    pub message: String,
    pub is_destroy: bool,
    pub refresh: bool,
    pub refresh_only: bool,
    pub target_addrs: Vec<String>,
    pub replace_addrs: Vec<String>,
    pub save_plan: bool,
    pub auto_apply: bool,
    pub allow_empty_apply: bool,
    pub allow_config_generation: bool,
    /// Another version than the workspace's; dry runs only.
    pub terraform_version: Option<String>,
    /// Whether the log is served as JSON lines, decided from the client that made the run.
    pub structured_log: bool,
    pub needs_fetch: bool,
}

/// A variable given for one run; its value is an HCL literal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunVariable {
    pub key: String,
    pub value: String,
}

/// What a plan found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanResult {
    pub has_changes: bool,
    pub additions: u32,
    pub changes: u32,
    pub destructions: u32,
    pub imports: u32,
    pub drifted: u32,
    pub generated_configuration: bool,
    /// How the state was kept while planning; the apply must do the same.
    pub state_mode: String,
    pub terraform_version: String,
}

/// What an apply did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApplyResult {
    pub additions: u32,
    pub changes: u32,
    pub destructions: u32,
    pub imports: u32,
    /// What Terraform said it made and no state recorded, with ready import blocks.
    pub possibly_unrecorded: Vec<Unrecorded>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unrecorded {
    pub address: String,
    pub id_key: String,
    pub id_value: String,
    pub import_block: String,
}

/// One line of a run's history.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct RunEvent {
    pub id: domain::ids::RunEventId,
    pub action: String,
    pub from_status: Option<RunStatus>,
    pub to_status: RunStatus,
    pub actor_kind: ActorKind,
    pub actor_id: String,
    pub actor_name: String,
    pub comment: Option<String>,
    pub created_at: Timestamp,
}

/// Which runs are wanted.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    pub workspace: Option<WorkspaceId>,
    pub environment: Option<EnvironmentId>,
    pub statuses: Vec<RunStatus>,
    pub sources: Vec<RunSource>,
    /// `plan_only`, `plan_and_apply`, `save_plan`, `refresh_only`, `destroy`.
    pub plan_only: Option<bool>,
    pub message: Option<String>,
    pub user: Option<String>,
    pub visible: Visible,
}
