//! A check of a run by the policies of a stage, and each policy's word in it.

use std::collections::BTreeMap;

use domain::ids::{PolicyCheckId, PolicyEvaluationId, PolicyResultId, RunId, TaskStageId};
use domain::policy::{PolicyCheckStatus, PolicyStage};
use policy::Verdict;

use crate::clock::Timestamp;

#[derive(Debug, Clone)]
pub struct PolicyCheck {
    pub run_id: RunId,
    pub stage: PolicyStage,
    pub status: PolicyCheckStatus,
    /// Why the check as a whole could not be made.
    pub error: Option<String>,
    /// Milliseconds that the policies took.
    pub duration_ms: Option<i64>,
    pub overridden_by_id: Option<String>,
    pub overridden_by_name: Option<String>,
    pub override_comment: Option<String>,
    /// When each status was reached, as clients name it: `queued-at`.
    pub timestamps: BTreeMap<String, Timestamp>,
    pub created_at: Timestamp,
}

/// One policy's word in a check, with the group and revision that it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyResult {
    pub id: PolicyResultId,
    pub group_id: String,
    pub group_name: String,
    pub revision_id: String,
    /// Whether the group is a policy set whose mandatory policies can be overridden.
    pub overridable: bool,
    pub verdict: Verdict,
}

impl PolicyCheck {
    /// Takes a status, and remembers when it was first reached.
    pub fn reach(&mut self, status: PolicyCheckStatus, now: Timestamp) {
        self.status = status;
        let key = format!("{}-at", status.as_str().replace('_', "-"));
        self.timestamps.entry(key).or_insert(now);
    }
}

/// The check after a run's plan.
pub fn policy_check_id(run: &RunId) -> PolicyCheckId {
    PolicyCheckId::beside(run.body())
}

/// The stage before a run's plan.
pub fn task_stage_id(run: &RunId) -> TaskStageId {
    TaskStageId::beside(run.body())
}

/// The evaluation of policies in a run's stage before its plan.
pub fn evaluation_id(run: &RunId) -> PolicyEvaluationId {
    PolicyEvaluationId::beside(run.body())
}
