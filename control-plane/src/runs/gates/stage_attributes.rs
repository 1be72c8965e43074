//! A check before a plan on the wire: a task stage with its policy evaluation. Source: TFE contract,
//! section 2.8.

use std::collections::BTreeMap;

use domain::ids::PolicySetOutcomeId;
use domain::policy::PolicyCheckStatus;
use policy::{Effect, Enforcement, Outcome};
use serde::Serialize;
use utoipa::ToSchema;

use super::attributes::{Overridable, count, may_override};
use super::model::{PolicyCheck, PolicyResult, evaluation_id, task_stage_id};
use super::service::Read;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::http::jsonapi::{Resource, zulu};

/// Attributes of type `task-stages`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct TaskStageAttributes {
    pub status: &'static str,
    pub stage: &'static str,
    #[schema(value_type = Object)]
    pub status_timestamps: BTreeMap<String, Timestamp>,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    pub actions: Overridable,
    #[schema(value_type = Object)]
    pub permissions: BTreeMap<&'static str, bool>,
}

/// The words of task stages for the words of checks.
fn stage_status(status: PolicyCheckStatus) -> &'static str {
    match status {
        PolicyCheckStatus::Pending => "pending",
        PolicyCheckStatus::Queued => "running",
        PolicyCheckStatus::Passed | PolicyCheckStatus::Overridden => "passed",
        PolicyCheckStatus::SoftFailed => "awaiting_override",
        PolicyCheckStatus::HardFailed => "failed",
        PolicyCheckStatus::Errored => "errored",
        PolicyCheckStatus::Canceled => "canceled",
        PolicyCheckStatus::Unreachable => "unreachable",
    }
}

/// The stage before a plan. A dry run is never asked to be overridden, so a soft failure ends it.
pub(crate) fn task_stage(ctx: &Context, read: &Read) -> Resource<TaskStageAttributes> {
    let check = &read.check;
    let may = may_override(ctx, read);
    let waits = check.status == PolicyCheckStatus::SoftFailed && !read.run.status().is_final();
    let status = if check.status == PolicyCheckStatus::SoftFailed && !waits {
        "failed"
    } else {
        stage_status(check.status)
    };
    let attributes = TaskStageAttributes {
        status,
        stage: "pre_plan",
        status_timestamps: check.timestamps.clone(),
        created_at: check.created_at,
        actions: Overridable {
            is_overridable: waits,
        },
        permissions: BTreeMap::from([
            ("can-override", may),
            ("can-override-policy", may),
            ("can-override-tasks", false),
        ]),
    };
    let run = &check.run_id;
    Resource::new("task-stages", task_stage_id(run), attributes)
        .to_one("run", "runs", Some(run))
        .to_many::<&str>("task-results", "task-results", [])
        .to_many(
            "policy-evaluations",
            "policy-evaluations",
            [evaluation_id(run)],
        )
}

/// How many policies of an evaluation said what.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ResultCount {
    pub advisory_failed: i64,
    pub mandatory_failed: i64,
    pub passed: i64,
    pub errored: i64,
}

fn result_count(results: &[PolicyResult]) -> ResultCount {
    let failed = |it: &PolicyResult| it.verdict.outcome == Outcome::Failed;
    let warns = |it: &PolicyResult| it.verdict.effect(it.overridable) == Effect::Warn;
    ResultCount {
        advisory_failed: count(results, |it| failed(it) && warns(it)),
        mandatory_failed: count(results, |it| failed(it) && !warns(it)),
        passed: count(results, |it| it.verdict.outcome == Outcome::Passed),
        errored: count(results, |it| it.verdict.outcome == Outcome::Errored),
    }
}

/// Attributes of type `policy-evaluations`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct EvaluationAttributes {
    pub status: &'static str,
    pub policy_kind: &'static str,
    #[schema(value_type = Object)]
    pub status_timestamps: BTreeMap<String, Timestamp>,
    pub result_count: ResultCount,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
}

fn evaluation_status(status: PolicyCheckStatus) -> &'static str {
    match status {
        PolicyCheckStatus::Pending => "pending",
        PolicyCheckStatus::Queued => "running",
        PolicyCheckStatus::Passed => "passed",
        PolicyCheckStatus::SoftFailed | PolicyCheckStatus::HardFailed => "failed",
        PolicyCheckStatus::Errored => "errored",
        PolicyCheckStatus::Overridden => "overridden",
        PolicyCheckStatus::Canceled => "canceled",
        PolicyCheckStatus::Unreachable => "unreachable",
    }
}

/// The evaluation of a stage before a plan.
pub(super) fn evaluation(read: &Read) -> Resource<EvaluationAttributes> {
    let check = &read.check;
    let attributes = EvaluationAttributes {
        status: evaluation_status(check.status),
        policy_kind: "opa",
        status_timestamps: check.timestamps.clone(),
        result_count: result_count(&read.results),
        created_at: check.created_at,
    };
    let outcomes = (0..groups(&read.results).len()).map(|at| outcome_id(check, at));
    Resource::new(
        "policy-evaluations",
        evaluation_id(&check.run_id),
        attributes,
    )
    .to_one(
        "policy-attachable",
        "task-stages",
        Some(task_stage_id(&check.run_id)),
    )
    .to_many("policy-set-outcomes", "policy-set-outcomes", outcomes)
}

fn outcome_id(check: &PolicyCheck, position: usize) -> PolicySetOutcomeId {
    PolicySetOutcomeId::beside(&format!("{}-{position}", check.run_id.body()))
}

/// One policy in a group's outcome. The field names have underscores: the CLI reads them so.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyOutcome {
    pub policy_name: String,
    pub enforcement_level: &'static str,
    pub status: &'static str,
    pub query: Option<String>,
    /// What the policy says, one denial a line.
    pub description: String,
    pub output: Vec<String>,
}

/// Attributes of type `policy-set-outcomes`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct OutcomeAttributes {
    pub policy_set_name: String,
    pub policy_set_description: Option<String>,
    pub overridable: bool,
    pub error: Option<String>,
    pub warnings: Vec<String>,
    pub outcomes: Vec<PolicyOutcome>,
    pub result_count: ResultCount,
}

/// Results by group, in their order.
fn groups(results: &[PolicyResult]) -> Vec<&[PolicyResult]> {
    results
        .chunk_by(|one, other| one.group_id == other.group_id)
        .collect()
}

/// What each group says in an evaluation.
pub(super) fn outcomes(read: &Read) -> Vec<Resource<OutcomeAttributes>> {
    groups(&read.results)
        .into_iter()
        .enumerate()
        .filter_map(|(at, results)| {
            let first = results.first()?;
            let attributes = OutcomeAttributes {
                policy_set_name: first.group_name.clone(),
                policy_set_description: None,
                overridable: first.overridable,
                error: None,
                warnings: Vec::new(),
                outcomes: results.iter().map(policy_outcome).collect(),
                result_count: result_count(results),
            };
            let id = outcome_id(&read.check, at);
            Some(Resource::new("policy-set-outcomes", id, attributes).to_one(
                "policy-evaluation",
                "policy-evaluations",
                Some(evaluation_id(&read.check.run_id)),
            ))
        })
        .collect()
}

fn policy_outcome(result: &PolicyResult) -> PolicyOutcome {
    let verdict = &result.verdict;
    let said: Vec<String> = verdict
        .messages
        .iter()
        .map(|denial| denial.message.clone())
        .chain(verdict.error.clone())
        .collect();
    PolicyOutcome {
        policy_name: verdict.policy.clone(),
        // Clients know two levels here.
        enforcement_level: match verdict.enforcement_level {
            Enforcement::Advisory => "advisory",
            Enforcement::SoftMandatory | Enforcement::Mandatory | Enforcement::HardMandatory => {
                "mandatory"
            }
        },
        status: match verdict.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Errored => "errored",
        },
        query: None,
        description: said.join("\n"),
        output: said,
    }
}
