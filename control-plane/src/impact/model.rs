//! What an analysis is, and one field of its matrix.

use domain::ids::{
    AccountId, EnvironmentId, ImpactAnalysisId, PolicyGroupId, PolicyRevisionId, RunId, WorkspaceId,
};
use domain::policy::{AnalysisStatus, Change, JudgedStatus};
use policy::{Denial, Enforcement, Outcome};

use crate::clock::Timestamp;

/// A proposed revision against the runs that were planned last.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    pub id: ImpactAnalysisId,
    pub account_id: AccountId,
    pub group_id: PolicyGroupId,
    pub revision_id: PolicyRevisionId,
    /// The revision in force when it began; none when nothing was.
    pub base_revision_id: Option<PolicyRevisionId>,
    pub status: AnalysisStatus,
    pub error_message: Option<String>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub counts: Counts,
}

/// How far an analysis is, and what it found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub runs: i64,
    pub judged: i64,
    pub unjudgeable: i64,
    pub policies: i64,
    /// Verdicts that a worker was asked for.
    pub evaluated: i64,
    /// Verdicts that were known from before.
    pub known: i64,
    pub newly_failing: i64,
    pub newly_passing: i64,
    /// Every field whose verdict is another one.
    pub changed: i64,
}

/// A policy of either revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compared {
    pub(super) name: String,
    pub(super) before: Option<Side>,
    pub(super) after: Option<Side>,
}

impl Compared {
    pub(super) fn sides(&self) -> impl Iterator<Item = &Side> {
        [&self.before, &self.after].into_iter().flatten()
    }
}

/// A policy as one revision has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) level: Enforcement,
    pub(super) digest: String,
    /// Why it can't be evaluated.
    pub(super) error: Option<String>,
}

/// A run that an analysis looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct InScope {
    pub run_id: RunId,
    pub environment_id: EnvironmentId,
    pub environment_name: String,
    pub workspace_id: WorkspaceId,
    pub workspace_name: String,
    pub run_created_at: Timestamp,
    pub status: JudgedStatus,
    /// Why it can't be judged.
    pub reason: Option<String>,
}

/// One field of the matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub run_id: RunId,
    pub environment_id: EnvironmentId,
    pub environment_name: String,
    pub workspace_id: WorkspaceId,
    pub workspace_name: String,
    pub policy: String,
    pub change: Change,
    pub before: Said,
    pub after: Said,
}

/// What a policy says of a run, as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// `passed`, `advisory_failed`, `soft_failed`, `hard_failed`, `errored` or `absent`.
    pub result: String,
    pub messages: Vec<Denial>,
    pub omitted: i64,
    pub error: Option<String>,
}

/// What a policy says of an input, whatever it is called and however strict it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) outcome: Outcome,
    pub(super) messages: Vec<Denial>,
    pub(super) omitted: i64,
    pub(super) error: Option<String>,
}

/// Which fields are wanted.
#[derive(Debug, Clone, Default)]
pub struct FieldFilter {
    pub changes: Vec<Change>,
    pub policies: Vec<String>,
    /// Names or ids.
    pub environments: Vec<String>,
    /// Under the proposed revision.
    pub results: Vec<String>,
}
