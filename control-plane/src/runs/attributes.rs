//! A run on the wire. Source: TFE contract, sections 0, 2 and 3.

use std::collections::BTreeMap;

use domain::permission::Permission;
use domain::run::{RunSource, RunStatus};
use serde::Serialize;
use utoipa::ToSchema;

use super::approval_api::ApprovalsSummary;
use super::gates::{policy_check_id, task_stage_id};
use super::machine::{self, force_cancel_at};
use super::model::Run;
use super::wait::WaitReason;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::costs;
use crate::http::jsonapi::{Resource, zulu};
use crate::iam::{Target, authorize};

/// What may be asked of a run now. Clients read every one without looking whether it is there.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct RunActions {
    pub is_cancelable: bool,
    pub is_confirmable: bool,
    pub is_discardable: bool,
    pub is_force_cancelable: bool,
}

/// What the caller may do to a run, whatever its status.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct RunPermissions {
    pub can_apply: bool,
    pub can_cancel: bool,
    pub can_comment: bool,
    pub can_discard: bool,
    pub can_force_cancel: bool,
    pub can_force_execute: bool,
    pub can_override_policy_check: bool,
}

/// Attributes of type `runs`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct RunAttributes {
    #[schema(value_type = String)]
    pub status: RunStatus,
    /// Rises by one per workspace.
    pub number: i64,
    pub message: String,
    #[schema(value_type = String)]
    pub source: RunSource,
    pub trigger_reason: &'static str,
    pub is_destroy: bool,
    pub refresh: bool,
    pub refresh_only: bool,
    pub target_addrs: Vec<String>,
    pub replace_addrs: Vec<String>,
    pub plan_only: bool,
    pub save_plan: bool,
    pub auto_apply: bool,
    pub allow_empty_apply: bool,
    pub allow_config_generation: bool,
    pub terraform_version: Option<String>,
    pub has_changes: bool,
    pub actions: RunActions,
    pub permissions: RunPermissions,
    #[schema(value_type = Object)]
    pub status_timestamps: BTreeMap<String, Timestamp>,
    pub position_in_queue: i64,
    /// What it waits for, if it does.
    pub wait_reason: Option<WaitReason>,
    /// Which approvals it needs and has. Not in lists, and not of dry runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals: Option<ApprovalsSummary>,
    /// Why it failed, in a sentence.
    pub error_message: Option<String>,
    /// An apply ended without a known state.
    pub state_uncertain: bool,
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canceled_at: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_cancel_available_at: Option<Timestamp>,
    pub created_by_name: String,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
}

/// A run as a JSON:API object.
pub fn resource(
    ctx: &Context,
    run: &Run,
    wait: Option<WaitReason>,
    position: i64,
) -> Resource<RunAttributes> {
    let request = run.request.clone();
    let gates = run.state.gates;
    let actions = machine::Actions::of(&run.state, ctx.now());
    let attributes = RunAttributes {
        status: run.status(),
        number: run.number,
        message: request.message,
        source: run.source,
        trigger_reason: "manual",
        is_destroy: request.is_destroy,
        refresh: request.refresh,
        refresh_only: request.refresh_only,
        target_addrs: request.target_addrs,
        replace_addrs: request.replace_addrs,
        plan_only: run.state.plan_only,
        save_plan: request.save_plan,
        auto_apply: request.auto_apply,
        allow_empty_apply: request.allow_empty_apply,
        allow_config_generation: request.allow_config_generation,
        terraform_version: request.terraform_version,
        has_changes: run.state.has_changes,
        actions: RunActions {
            is_cancelable: actions.is_cancelable,
            is_confirmable: actions.is_confirmable,
            is_discardable: actions.is_discardable,
            is_force_cancelable: actions.is_force_cancelable,
        },
        permissions: permissions(ctx, run),
        status_timestamps: run.timestamps.clone(),
        position_in_queue: position,
        wait_reason: wait,
        approvals: None,
        error_message: run.error.clone(),
        state_uncertain: run.state.state_uncertain,
        canceled_at: run.state.cancel_requested_at,
        force_cancel_available_at: force_cancel_at(&run.state),
        created_by_name: run.created_by_name.clone(),
        created_at: run.created_at,
    };
    Resource::new("runs", &run.id, attributes)
        .to_one("workspace", "workspaces", Some(&run.workspace_id))
        .to_one(
            "configuration-version",
            "configuration-versions",
            Some(&run.configuration_version_id),
        )
        .to_one("plan", "plans", Some(&run.plan_id))
        .to_one("apply", "applies", Some(&run.apply_id))
        .to_one("created-by", "users", super::creator(run))
        .to_one(
            "cost-estimate",
            "cost-estimates",
            gates.cost.then(|| costs::id_for(&run.id)),
        )
        .to_many(
            "policy-checks",
            "policy-checks",
            gates.policy.then(|| policy_check_id(&run.id)),
        )
        .to_many(
            "task-stages",
            "task-stages",
            gates.pre_plan.then(|| task_stage_id(&run.id)),
        )
        .to_many::<&str>("run-events", "run-events", [])
        .to_many::<&str>("comments", "comments", [])
        .link("self", format!("/api/v2/runs/{}", run.id))
}

fn permissions(ctx: &Context, run: &Run) -> RunPermissions {
    let may = |permission| {
        let target = Target::new("runs", &run.id)
            .in_environment(&run.environment_id)
            .in_project(&run.project_id)
            .in_workspace(&run.workspace_id);
        authorize(ctx, permission, target).is_ok()
    };
    RunPermissions {
        can_apply: may(Permission::RunsApply),
        can_cancel: may(Permission::RunsCancel),
        can_comment: false,
        can_discard: may(Permission::RunsApply),
        can_force_cancel: may(Permission::RunsForceCancel),
        can_force_execute: may(Permission::RunsApply),
        can_override_policy_check: may(Permission::PolicyChecksOverride),
    }
}
