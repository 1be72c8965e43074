//! A check after a plan on the wire, and each policy's word. Source: TFE contract, section 2.9.

use std::collections::BTreeMap;

use domain::permission::Permission;
use domain::policy::{PolicyCheckStatus, PolicyStage};
use policy::{Denial, Effect, Outcome};
use serde::Serialize;
use utoipa::ToSchema;

use super::model::{PolicyCheck, PolicyResult, policy_check_id};
use super::service::Read;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::http::jsonapi::Resource;
use crate::runs::service::authorize_run;

/// How many policies said what.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct CheckResult {
    /// Whether the run may go on.
    pub result: bool,
    pub passed: i64,
    pub total_failed: i64,
    pub hard_failed: i64,
    pub soft_failed: i64,
    pub advisory_failed: i64,
    pub duration_ms: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Overridable {
    pub is_overridable: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct MayOverride {
    pub can_override: bool,
}

/// Attributes of type `policy-checks`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyCheckAttributes {
    #[schema(value_type = String)]
    pub status: PolicyCheckStatus,
    #[schema(value_type = String)]
    pub stage: PolicyStage,
    /// Always `organization`: groups are bound from above.
    pub scope: &'static str,
    /// Null until the check has ended.
    pub result: Option<CheckResult>,
    /// Why the check as a whole could not be made.
    pub error: Option<String>,
    #[schema(value_type = Object)]
    pub status_timestamps: BTreeMap<String, Timestamp>,
    pub actions: Overridable,
    pub permissions: MayOverride,
    pub overridden_by_name: Option<String>,
    pub override_comment: Option<String>,
}

pub(super) fn may_override(ctx: &Context, read: &Read) -> bool {
    authorize_run(ctx, Permission::PolicyChecksOverride, &read.run).is_ok()
}

pub(super) fn count(results: &[PolicyResult], what: impl Fn(&PolicyResult) -> bool) -> i64 {
    i64::try_from(results.iter().filter(|it| what(it)).count()).unwrap_or(i64::MAX)
}

fn summary(check: &PolicyCheck, results: &[PolicyResult]) -> CheckResult {
    let with = |effect| count(results, |it| it.verdict.effect(it.overridable) == effect);
    CheckResult {
        result: matches!(
            check.status,
            PolicyCheckStatus::Passed | PolicyCheckStatus::Overridden
        ),
        passed: with(Effect::Pass),
        total_failed: count(results, |it| it.verdict.outcome != Outcome::Passed),
        hard_failed: with(Effect::Block),
        soft_failed: with(Effect::AwaitOverride),
        advisory_failed: with(Effect::Warn),
        duration_ms: check.duration_ms.unwrap_or_default(),
    }
}

/// A check after a plan as a JSON:API object.
pub(super) fn policy_check(ctx: &Context, read: &Read) -> Resource<PolicyCheckAttributes> {
    let check = &read.check;
    let attributes = PolicyCheckAttributes {
        status: check.status,
        stage: check.stage,
        scope: "organization",
        result: check
            .duration_ms
            .is_some()
            .then(|| summary(check, &read.results)),
        error: check.error.clone(),
        status_timestamps: check.timestamps.clone(),
        actions: Overridable {
            is_overridable: check.status == PolicyCheckStatus::SoftFailed,
        },
        permissions: MayOverride {
            can_override: may_override(ctx, read),
        },
        overridden_by_name: check.overridden_by_name.clone(),
        override_comment: check.override_comment.clone(),
    };
    let id = policy_check_id(&check.run_id);
    Resource::new("policy-checks", &id, attributes)
        .to_one("run", "runs", Some(&check.run_id))
        .link("output", format!("/api/v2/policy-checks/{id}/output"))
}

/// Attributes of type `policy-results`: one policy's word, with everything it said.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ResultAttributes {
    pub policy: String,
    pub policy_group_name: String,
    pub enforcement_level: &'static str,
    /// `passed`, `advisory_failed`, `soft_failed`, `hard_failed` or `errored`.
    pub result: &'static str,
    /// With the addresses of the resources that each names.
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<Denial>,
    /// How many denials there are besides those.
    pub omitted: u64,
    pub error: Option<String>,
}

/// A policy's word as a JSON:API object.
pub(super) fn result(result: &PolicyResult) -> Resource<ResultAttributes> {
    let verdict = &result.verdict;
    let attributes = ResultAttributes {
        policy: verdict.policy.clone(),
        policy_group_name: result.group_name.clone(),
        enforcement_level: verdict.enforcement_level.as_str(),
        result: verdict.result(),
        messages: verdict.messages.clone(),
        omitted: verdict.omitted,
        error: verdict.error.clone(),
    };
    Resource::new("policy-results", &result.id, attributes)
        .to_one("policy-group", "policy-groups", Some(&result.group_id))
        .to_one(
            "policy-revision",
            "policy-revisions",
            Some(&result.revision_id),
        )
}
