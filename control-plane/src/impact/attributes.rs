//! Analyses, their runs and results as JSON:API objects.

use domain::policy::{AnalysisStatus, Change, JudgedStatus};
use policy::Denial;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{Analysis, Field, InScope, Said};
use crate::clock::Timestamp;
use crate::http::attributes::{Attributes, Words};
use crate::http::jsonapi::{Resource, zulu};

/// An analysis is asked for by its relationships alone.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct NoAttributes {}

impl Attributes for NoAttributes {
    const TYPES: &'static [&'static str] = &["impact-analyses"];
    const RELATIONS: Words = &[("revision", &["policy-revisions", "policy-set-versions"])];
}

/// Attributes of type `impact-analyses`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct AnalysisAttributes {
    /// `pending`, `running`, `finished` or `errored`.
    #[schema(value_type = String)]
    pub status: AnalysisStatus,
    pub error_message: Option<String>,
    /// Runs that are looked at.
    pub run_count: i64,
    /// Those that both revisions have been asked about.
    pub judged_run_count: i64,
    /// Those that can't be judged; see `runs?filter[status]=unjudgeable`.
    pub unjudgeable_run_count: i64,
    /// Policies of either revision.
    pub policy_count: i64,
    /// Verdicts that had to be evaluated.
    pub evaluated_count: i64,
    /// Verdicts that were known from before.
    pub known_count: i64,
    pub newly_failing_count: i64,
    pub newly_passing_count: i64,
    /// Every field whose verdict is another one.
    pub changed_count: i64,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>)]
    pub started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    pub finished_at: Option<Timestamp>,
}

pub(super) fn analysis(analysis: &Analysis) -> Resource<AnalysisAttributes> {
    let counts = analysis.counts;
    let attributes = AnalysisAttributes {
        status: analysis.status,
        error_message: analysis.error_message.clone(),
        run_count: counts.runs,
        judged_run_count: counts.judged,
        unjudgeable_run_count: counts.unjudgeable,
        policy_count: counts.policies,
        evaluated_count: counts.evaluated,
        known_count: counts.known,
        newly_failing_count: counts.newly_failing,
        newly_passing_count: counts.newly_passing,
        changed_count: counts.changed,
        created_at: analysis.created_at,
        started_at: analysis.started_at,
        finished_at: analysis.finished_at,
    };
    let path = format!("/api/v2/impact-analyses/{}", analysis.id);
    Resource::new("impact-analyses", &analysis.id, attributes)
        .to_one("policy-group", "policy-groups", Some(&analysis.group_id))
        .to_one("revision", "policy-revisions", Some(&analysis.revision_id))
        .to_one(
            "compared-with",
            "policy-revisions",
            analysis.base_revision_id.as_ref(),
        )
        .link("self", path.clone())
        .link("results", format!("{path}/results"))
        .link("runs", format!("{path}/runs"))
}

/// Attributes of type `impact-runs`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RunAttributes {
    /// `waiting`, `judged` or `unjudgeable`.
    #[schema(value_type = String)]
    pub status: JudgedStatus,
    /// Why it can't be judged.
    pub reason: Option<String>,
    pub environment_name: String,
    pub workspace_name: String,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub run_created_at: Timestamp,
}

pub(super) fn in_scope(run: &InScope) -> Resource<RunAttributes> {
    let attributes = RunAttributes {
        status: run.status,
        reason: run.reason.clone(),
        environment_name: run.environment_name.clone(),
        workspace_name: run.workspace_name.clone(),
        run_created_at: run.run_created_at,
    };
    Resource::new("impact-runs", &run.run_id, attributes)
        .to_one("run", "runs", Some(&run.run_id))
        .to_one("workspace", "workspaces", Some(&run.workspace_id))
        .to_one("environment", "environments", Some(&run.environment_id))
}

/// Attributes of type `impact-results`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ResultAttributes {
    pub policy: String,
    /// `newly-failing`, `newly-passing`, `changed` or `unchanged`.
    #[schema(value_type = String)]
    pub change: Change,
    pub environment_name: String,
    pub workspace_name: String,
    /// Under the revision in force.
    pub before: SaidAttributes,
    /// Under the proposed revision.
    pub after: SaidAttributes,
}

/// One side of a field.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct SaidAttributes {
    /// `passed`, `advisory_failed`, `soft_failed`, `hard_failed`, `errored`, or `absent` where the
    /// revision has no such policy.
    pub result: String,
    /// Each with `message` and `resources`.
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<Denial>,
    /// How many more there are.
    pub omitted: i64,
    pub error: Option<String>,
}

impl From<&Said> for SaidAttributes {
    fn from(said: &Said) -> Self {
        Self {
            result: said.result.clone(),
            messages: said.messages.clone(),
            omitted: said.omitted,
            error: said.error.clone(),
        }
    }
}

pub(super) fn result(field: &Field) -> Resource<ResultAttributes> {
    let attributes = ResultAttributes {
        policy: field.policy.clone(),
        change: field.change,
        environment_name: field.environment_name.clone(),
        workspace_name: field.workspace_name.clone(),
        before: (&field.before).into(),
        after: (&field.after).into(),
    };
    let id = format!("{}/{}", field.run_id, field.policy);
    Resource::new("impact-results", id, attributes)
        .to_one("run", "runs", Some(&field.run_id))
        .to_one("workspace", "workspaces", Some(&field.workspace_id))
        .to_one("environment", "environments", Some(&field.environment_id))
}
