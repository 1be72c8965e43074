//! Policy groups and revisions as JSON:API objects.

use std::collections::BTreeMap;

use domain::ids::RunnerPoolId;
use domain::policy::{PolicySource, PolicyStage, RevisionStatus};
use policy::suite::{TestOutcome, TestResult, UnitReport};
use policy::worker::Checked;
use policy::{Dialect, GroupKind, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::http::attributes::{Attributes, Words};
use crate::http::jsonapi::{InputData, Resource, nullable, zulu};
use crate::policies::error::PolicyError;
use crate::policies::group_service::GroupChange;
use crate::policies::model::{
    Bound, BoundKind, CommitInfo, Findings, GroupStatus, PolicyGroup, Revision,
};
use crate::runs::WaitReason;
use crate::workspaces::{GitInput, GitSource, NewGitSource};

/// Attributes of type `policy-groups`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct GroupAttributes {
    pub name: String,
    pub description: String,
    /// `files` (terrane-policy.hcl, scalr-policy.hcl) or `queries` (policies.hcl).
    #[schema(value_type = String)]
    pub kind: GroupKind,
    /// `v0`, `v1` or `auto`.
    #[schema(value_type = String)]
    pub dialect: Dialect,
    /// `pre_plan_check` or `policy_check`.
    #[schema(value_type = String)]
    pub execute_as: PolicyStage,
    /// `upload`, `repository` or `policies`.
    #[schema(value_type = String)]
    pub source: PolicySource,
    /// The folder of the manifest, from the root.
    pub path: String,
    pub common_functions_folder: Option<String>,
    /// The repository, where the files come from one; its token is write-only.
    #[schema(value_type = Option<Object>)]
    pub git: Option<GitSource>,
    /// Whose runners fetch it; none: the account's default pool.
    #[schema(value_type = Option<String>)]
    pub agent_pool_id: Option<RunnerPoolId>,
    pub is_enforced: bool,
    pub overridable: bool,
    /// `pending`, `fetching`, `active` or `errored`: of the newest files. Those in force stay when
    /// newer ones are errored.
    #[schema(value_type = String)]
    pub status: GroupStatus,
    pub error_message: Option<String>,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub updated_at: Timestamp,
}

/// A group as a JSON:API object.
pub(super) fn group(group: &PolicyGroup, bound: &[Bound]) -> Resource<GroupAttributes> {
    let attributes = GroupAttributes {
        name: group.name.clone(),
        description: group.description.clone(),
        kind: group.layout.kind,
        dialect: group.layout.dialect,
        execute_as: group.stage,
        source: group.source,
        path: group.layout.path.clone(),
        common_functions_folder: group.layout.common.clone(),
        git: group.git.clone(),
        agent_pool_id: group.pool_id.clone(),
        is_enforced: group.enforced,
        overridable: group.overridable,
        status: group.status(),
        error_message: group.error().map(str::to_owned),
        created_at: group.created_at,
        updated_at: group.updated_at,
    };
    let newest = group.newest.as_ref().map(|newest| &newest.id);
    let resource = Resource::new("policy-groups", &group.id, attributes)
        .to_one("newest-revision", "policy-revisions", newest)
        .to_one(
            "revision-in-force",
            "policy-revisions",
            group.good_revision_id.as_ref(),
        )
        .link("self", format!("/api/v2/policy-groups/{}", group.id));
    with_bound(resource, bound)
}

/// With the lists of what a group is bound to.
pub(super) fn with_bound<A>(mut resource: Resource<A>, bound: &[Bound]) -> Resource<A> {
    for kind in BoundKind::ALL {
        let target = match kind {
            BoundKind::Environments => "environments",
            BoundKind::Projects | BoundKind::ProjectExclusions => "projects",
            BoundKind::Workspaces | BoundKind::WorkspaceExclusions => "workspaces",
        };
        let ids = bound.iter().filter(|it| it.kind() == kind).map(Bound::id);
        resource = resource.to_many(kind.word(), target, ids);
    }
    resource
}

/// What a create or update of a group may carry. Absent leaves a thing as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct GroupInput {
    pub name: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
    pub kind: Option<String>,
    pub dialect: Option<String>,
    /// The version of OPA that the policies are written for, in place of `dialect`.
    pub opa_version: Option<String>,
    pub execute_as: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub path: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub common_functions_folder: Option<Option<String>>,
    /// The repository that the files are fetched from, as for a workspace; null: they are uploaded.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Object>)]
    pub git: Option<Option<GitInput>>,
    /// Whose runners fetch it; null: the account's default pool.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub agent_pool_id: Option<Option<RunnerPoolId>>,
    pub is_enforced: Option<bool>,
    pub overridable: Option<bool>,
}

impl Attributes for GroupInput {
    const TYPES: &'static [&'static str] = &["policy-groups"];
    const RELATIONS: Words = super::BOUND;
    const WITHOUT_EFFECT: Words = &[("vcs-repo", &[])];
}

pub(super) fn kind(text: &str) -> Result<GroupKind, PolicyError> {
    match text {
        "files" => Ok(GroupKind::Files),
        "queries" => Ok(GroupKind::Queries),
        other => Err(PolicyError::invalid(
            "kind",
            format!("{other:?} is not one of: files, queries"),
        )),
    }
}

/// The dialect of a version of OPA: v1 is the only one from 1.0 on.
pub(super) fn dialect_of_version(field: &str, version: &str) -> Result<Dialect, PolicyError> {
    match version.trim_start_matches('v').split('.').next() {
        Some("latest") => Ok(Dialect::Auto),
        Some("0") => Ok(Dialect::V0),
        Some("1") => Ok(Dialect::V1),
        _ => Err(PolicyError::invalid(
            field,
            "policies are evaluated by an engine of our own; say 0.… or 1.… for the dialect they \
             are written in, or leave it out",
        )),
    }
}

impl GroupInput {
    /// # Errors
    /// [`PolicyError::Invalid`] for words that aren't known.
    pub(super) fn into_change(data: InputData<Self>) -> Result<GroupChange, PolicyError> {
        let mut links = Vec::new();
        for kind in BoundKind::ALL {
            if data.relationships.contains_key(kind.word()) {
                let listed = data.related(kind.word()).iter().map(|it| it.id.as_str());
                links.push((kind, super::ids(kind, listed)?));
            }
        }
        let input = data.attributes;
        let stage = input.execute_as.as_deref().map(|text| {
            text.parse().map_err(|error: domain::UnknownWord| {
                PolicyError::invalid(
                    "execute-as",
                    format!("{text:?} is not one of: {}", error.known),
                )
            })
        });
        let dialect = match (&input.dialect, &input.opa_version) {
            (Some(text), _) => Some(text.parse().map_err(|error: policy::UnknownDialect| {
                PolicyError::invalid("dialect", error.to_string())
            })?),
            (None, Some(version)) => Some(dialect_of_version("opa-version", version)?),
            (None, None) => None,
        };
        Ok(GroupChange {
            name: input.name,
            description: input.description.map(Option::unwrap_or_default),
            kind: input.kind.as_deref().map(kind).transpose()?,
            dialect,
            stage: stage.transpose()?,
            path: input.path.map(Option::unwrap_or_default),
            common: input.common_functions_folder,
            git: match input.git {
                Some(Some(git)) => Some(Some(NewGitSource::from_input(git)?)),
                Some(None) => Some(None),
                None => None,
            },
            pool: input.agent_pool_id,
            enforced: input.is_enforced,
            overridable: input.overridable,
            links,
        })
    }
}

/// Attributes of type `policy-revisions`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RevisionAttributes {
    /// In the order of arrival.
    pub number: i64,
    /// `pending`, `fetching`, `checking`, `good`, `failing-tests` or `errored`.
    #[schema(value_type = String)]
    pub status: RevisionStatus,
    #[schema(value_type = String)]
    pub source: PolicySource,
    /// Only asked about, by impact analyses; never put in force by itself.
    pub proposed: bool,
    #[schema(value_type = Option<Object>)]
    pub commit: Option<CommitInfo>,
    /// SHA-256 of the archive, in hexadecimal.
    pub digest: Option<String>,
    pub size: Option<i64>,
    pub error_message: Option<String>,
    pub policy_count: Option<usize>,
    pub broken_policy_count: Option<usize>,
    pub passed_test_count: Option<usize>,
    pub failed_test_count: Option<usize>,
    /// Where to PUT the archive, while it is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_url: Option<String>,
    /// What its fetch waits for. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_reason: Option<WaitReason>,
    /// Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Vec<CheckedPolicy>>,
    /// Of the group rather than of one policy. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub problems: Option<Vec<Problem>>,
    /// Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests: Option<Vec<TestUnitReport>>,
    #[schema(value_type = Object)]
    pub status_timestamps: BTreeMap<String, Timestamp>,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
}

/// What the check says of one policy.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct CheckedPolicy {
    name: String,
    enabled: bool,
    enforcement_level: &'static str,
    description: String,
    query: String,
    /// SHA-256 of everything its verdict depends on besides the input, when it was checked.
    digest: String,
    files: Vec<String>,
    /// Each with `file`, `line`, `message`, `remedy` and `severity`. With an error among them the
    /// policy never passes.
    #[schema(value_type = Vec<Object>)]
    problems: Vec<Problem>,
}

impl From<Checked> for CheckedPolicy {
    fn from(checked: Checked) -> Self {
        Self {
            name: checked.name,
            enabled: checked.enabled,
            enforcement_level: checked.enforcement_level.as_str(),
            description: checked.description,
            query: checked.query,
            digest: checked.digest,
            files: checked.files,
            problems: checked.problems,
        }
    }
}

/// The tests that were run together.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct TestUnitReport {
    unit: String,
    passed: usize,
    failed: usize,
    tests: Vec<TestReport>,
    #[schema(value_type = Vec<Object>)]
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct TestReport {
    name: String,
    file: String,
    line: u32,
    /// `passed`, `failed`, `errored` or `skipped`.
    #[schema(value_type = String)]
    outcome: TestOutcome,
    /// What it printed, or the error that ended it.
    output: String,
}

impl From<UnitReport> for TestUnitReport {
    fn from(report: UnitReport) -> Self {
        let (passed, failed) = report.counts();
        let test = |test: TestResult| TestReport {
            name: test.name,
            file: test.file,
            line: test.line,
            outcome: test.outcome,
            output: test.output,
        };
        Self {
            unit: report.unit,
            passed,
            failed,
            tests: report.tests.into_iter().map(test).collect(),
            problems: report.problems,
        }
    }
}

/// A revision as a JSON:API object; `findings` is left out in lists.
pub(super) fn revision(
    revision: &Revision,
    upload_url: Option<String>,
    findings: Option<Findings>,
) -> Resource<RevisionAttributes> {
    let counts = revision.counts;
    let (mut policies, mut problems, mut tests) = (None, None, None);
    if let Some(findings) = findings {
        let (checked, of_group) = findings
            .checkup
            .map_or_else(Default::default, |it| (it.policies, it.problems));
        policies = Some(checked.into_iter().map(CheckedPolicy::from).collect());
        problems = Some(of_group);
        tests = Some(findings.tests.into_iter().map(Into::into).collect());
    }
    let attributes = RevisionAttributes {
        number: revision.number,
        status: revision.status,
        source: revision.source,
        proposed: revision.proposed,
        commit: revision.commit.clone(),
        digest: revision.sha256.clone(),
        size: revision.size,
        error_message: revision.error_message.clone(),
        policy_count: counts.map(|it| it.policies),
        broken_policy_count: counts.map(|it| it.broken),
        passed_test_count: counts.map(|it| it.tests_passed),
        failed_test_count: counts.map(|it| it.tests_failed),
        upload_url,
        wait_reason: None,
        policies,
        problems,
        tests,
        status_timestamps: revision.timestamps.clone(),
        created_at: revision.created_at,
    };
    let path = format!("/api/v2/policy-revisions/{}", revision.id);
    let resource = Resource::new("policy-revisions", &revision.id, attributes)
        .to_one("policy-group", "policy-groups", Some(&revision.group_id))
        .link("self", path.clone());
    match revision.blob_id {
        Some(_) => resource.link("download", format!("{path}/download")),
        None => resource,
    }
}
