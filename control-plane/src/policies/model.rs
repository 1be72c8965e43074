//! What a policy group is, and what a revision of it is.

use std::collections::BTreeMap;

use domain::ids::{
    AccountId, BlobId, EnvironmentId, PolicyGroupId, PolicyId, PolicyRevisionId, ProjectId,
    RunnerPoolId, WorkspaceId,
};
use domain::policy::{PolicySource, PolicyStage, RevisionStatus};
use policy::suite::UnitReport;
use policy::worker::Checkup;
use policy::{Dialect, Enforcement, GroupKind};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::workspaces::GitSource;

/// A group of policies of an account.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyGroup {
    pub id: PolicyGroupId,
    /// The environment through which it was made.
    pub environment_id: Option<EnvironmentId>,
    /// That environment's name, which the wire uses as the organization's id.
    pub environment_name: Option<String>,
    pub name: String,
    pub description: String,
    pub stage: PolicyStage,
    pub source: PolicySource,
    /// How the next revision is read.
    pub layout: Layout,
    pub git: Option<GitSource>,
    pub pool_id: Option<RunnerPoolId>,
    /// In force in every workspace of the account.
    pub enforced: bool,
    /// Whether what is `mandatory` in a policy set can be overridden.
    pub overridable: bool,
    pub newest: Option<Newest>,
    /// The revision in force.
    pub good_revision_id: Option<PolicyRevisionId>,
    /// Raised by every change: what a compare-and-set compares.
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The revision that has arrived, or was asked for, last.
#[derive(Debug, Clone, PartialEq)]
pub struct Newest {
    pub id: PolicyRevisionId,
    pub status: RevisionStatus,
    pub error: Option<String>,
}

/// How files become a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    pub kind: GroupKind,
    pub dialect: Dialect,
    /// The folder of the manifest, from the root; empty: the root.
    pub path: String,
    /// The folder of common functions, from the root.
    pub common: Option<String>,
}

/// Whether a group decides by its newest files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupStatus {
    /// It has no files yet.
    Pending,
    Fetching,
    Active,
    Errored,
}

impl PolicyGroup {
    pub fn status(&self) -> GroupStatus {
        match self.newest.as_ref().map(|newest| newest.status) {
            None => GroupStatus::Pending,
            Some(RevisionStatus::Pending | RevisionStatus::Fetching | RevisionStatus::Checking) => {
                GroupStatus::Fetching
            }
            Some(RevisionStatus::Good) => GroupStatus::Active,
            Some(RevisionStatus::FailingTests | RevisionStatus::Errored) => GroupStatus::Errored,
        }
    }

    /// Why it is errored.
    pub fn error(&self) -> Option<&str> {
        self.newest.as_ref()?.error.as_deref()
    }
}

/// One snapshot of a group's files.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    pub id: PolicyRevisionId,
    pub account_id: AccountId,
    pub group_id: PolicyGroupId,
    /// In the order of arrival.
    pub number: i64,
    pub status: RevisionStatus,
    pub source: PolicySource,
    pub layout: Layout,
    pub blob_id: Option<BlobId>,
    pub size: Option<i64>,
    /// Of the archive, in hexadecimal.
    pub sha256: Option<String>,
    pub commit: Option<CommitInfo>,
    /// Only asked about: never put in force by itself.
    pub proposed: bool,
    pub error_message: Option<String>,
    pub counts: Option<Counts>,
    pub created_by: String,
    pub timestamps: BTreeMap<String, Timestamp>,
    pub created_at: Timestamp,
}

/// The commit that was fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitInfo {
    pub sha: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub author: String,
}

/// What a check found, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub policies: usize,
    /// Policies with an error; they never pass.
    pub broken: usize,
    pub tests_passed: usize,
    pub tests_failed: usize,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    pub checkup: Option<Checkup>,
    #[serde(default)]
    pub tests: Vec<UnitReport>,
}

/// A policy that is uploaded by itself and put into sets.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SinglePolicy {
    pub id: PolicyId,
    pub environment_id: Option<EnvironmentId>,
    pub environment_name: Option<String>,
    pub name: String,
    pub description: String,
    /// The rule whose value are the denials.
    pub query: String,
    pub level: Enforcement,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Something that a group is bound to, or exempted from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Bound {
    Environment(EnvironmentId),
    Project(ProjectId),
    Workspace(WorkspaceId),
    ExcludedProject(ProjectId),
    ExcludedWorkspace(WorkspaceId),
}

impl Bound {
    pub fn kind(&self) -> BoundKind {
        match self {
            Self::Environment(_) => BoundKind::Environments,
            Self::Project(_) => BoundKind::Projects,
            Self::Workspace(_) => BoundKind::Workspaces,
            Self::ExcludedProject(_) => BoundKind::ProjectExclusions,
            Self::ExcludedWorkspace(_) => BoundKind::WorkspaceExclusions,
        }
    }

    /// The id of what it is.
    pub fn id(&self) -> &str {
        match self {
            Self::Environment(id) => id.as_str(),
            Self::Project(id) | Self::ExcludedProject(id) => id.as_str(),
            Self::Workspace(id) | Self::ExcludedWorkspace(id) => id.as_str(),
        }
    }

    pub fn is_excluded(&self) -> bool {
        matches!(self, Self::ExcludedProject(_) | Self::ExcludedWorkspace(_))
    }
}

/// The lists of what a group is bound to; also their names on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BoundKind {
    Environments,
    Projects,
    Workspaces,
    ProjectExclusions,
    WorkspaceExclusions,
}

impl BoundKind {
    pub const ALL: [Self; 5] = [
        Self::Environments,
        Self::Projects,
        Self::Workspaces,
        Self::ProjectExclusions,
        Self::WorkspaceExclusions,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Environments => "environments",
            Self::Projects => "projects",
            Self::Workspaces => "workspaces",
            Self::ProjectExclusions => "project-exclusions",
            Self::WorkspaceExclusions => "workspace-exclusions",
        }
    }
}
