//! Policy sets and their versions as JSON:API objects, in the TFE API's form.

use std::collections::BTreeMap;

use domain::ids::PolicyId;
use domain::policy::{PolicySource, PolicyStage, RevisionStatus};
use policy::GroupKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::attributes::{dialect_of_version, with_bound};
use crate::clock::Timestamp;
use crate::http::attributes::{Attributes, Words};
use crate::http::jsonapi::{InputData, Resource, nullable, zulu};
use crate::policies::error::PolicyError;
use crate::policies::group_service::GroupChange;
use crate::policies::model::{Bound, BoundKind, GroupStatus, PolicyGroup, Revision};

/// The only kind of policies that is evaluated here.
pub(super) const KIND: &str = "opa";

/// Attributes of type `policy-sets`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct SetAttributes {
    pub name: String,
    pub description: String,
    /// Always `opa`.
    pub kind: &'static str,
    /// Whether it holds in every workspace of the account.
    pub global: bool,
    pub overridable: bool,
    /// Always true: policies are evaluated in a worker of their own.
    pub agent_enabled: bool,
    pub policy_tool_version: Option<String>,
    /// Whether its files come as a whole, rather than policy by policy.
    pub versioned: bool,
    pub policies_path: String,
    pub policy_count: usize,
    pub workspace_count: usize,
    pub project_count: usize,
    pub vcs_repo: Option<Value>,
    /// When it is asked: `pre_plan_check` or `policy_check`.
    #[schema(value_type = String)]
    pub execute_as: PolicyStage,
    /// As of a policy group.
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

/// A group as a policy set.
pub(super) fn set(
    group: &PolicyGroup,
    bound: &[Bound],
    policies: &[PolicyId],
) -> Resource<SetAttributes> {
    let count = |kind| bound.iter().filter(|it| it.kind() == kind).count();
    let attributes = SetAttributes {
        name: group.name.clone(),
        description: group.description.clone(),
        kind: KIND,
        global: group.enforced,
        overridable: group.overridable,
        agent_enabled: true,
        policy_tool_version: None,
        versioned: group.source != PolicySource::Policies,
        policies_path: group.layout.path.clone(),
        policy_count: policies.len(),
        workspace_count: count(BoundKind::Workspaces),
        project_count: count(BoundKind::Projects),
        vcs_repo: None,
        execute_as: group.stage,
        status: group.status(),
        error_message: group.error().map(str::to_owned),
        created_at: group.created_at,
        updated_at: group.updated_at,
    };
    let newest = group.newest.as_ref().map(|newest| &newest.id);
    let resource = Resource::new("policy-sets", &group.id, attributes)
        .to_one(
            "organization",
            "organizations",
            group.environment_name.as_ref(),
        )
        .to_one(
            "current-version",
            "policy-set-versions",
            group.good_revision_id.as_ref(),
        )
        .to_one("newest-version", "policy-set-versions", newest)
        .to_many("policies", "policies", policies)
        .link("self", format!("/api/v2/policy-sets/{}", group.id));
    with_bound(resource, bound)
}

/// What a create or update of a policy set may carry. Absent leaves a thing as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct SetInput {
    pub name: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
    pub kind: Option<String>,
    pub global: Option<bool>,
    pub overridable: Option<bool>,
    pub policy_tool_version: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub policies_path: Option<Option<String>>,
    pub execute_as: Option<String>,
}

impl Attributes for SetInput {
    const TYPES: &'static [&'static str] = &["policy-sets"];
    const RELATIONS: Words = &[
        ("environments", super::ENVIRONMENTS),
        ("policies", &["policies"]),
        ("projects", &["projects"]),
        ("workspaces", &["workspaces"]),
        ("project-exclusions", &["projects"]),
        ("workspace-exclusions", &["workspaces"]),
    ];
    const WITHOUT_EFFECT: Words = &[
        ("agent-enabled", &["true"]),
        ("policy-update-patterns", &[]),
        ("scoping-type", &[]),
        ("tag-selectors", &[]),
        ("vcs-repo", &[]),
    ];
}

/// Refuses kinds that can't be evaluated; the TFE API takes no kind for `sentinel`.
pub(super) fn check_kind(kind: Option<&str>) -> Result<(), PolicyError> {
    match kind {
        Some(KIND) => Ok(()),
        None | Some("sentinel") => Err(PolicyError::invalid(
            "kind",
            "Sentinel policies are not evaluated here; say \"kind\": \"opa\" and write them in Rego",
        )),
        Some(other) => Err(PolicyError::invalid(
            "kind",
            format!("{other:?} is no kind of policies; use \"opa\""),
        )),
    }
}

impl SetInput {
    /// The change, and which policies shall be in the set if that was said.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] for words that aren't known.
    pub(super) fn into_change(
        data: InputData<Self>,
        new: bool,
    ) -> Result<(GroupChange, Option<Vec<PolicyId>>), PolicyError> {
        let mut links = Vec::new();
        for kind in BoundKind::ALL {
            if data.relationships.contains_key(kind.word()) {
                let listed = data.related(kind.word()).iter().map(|it| it.id.as_str());
                links.push((kind, super::ids(kind, listed)?));
            }
        }
        let policies = data.relationships.contains_key("policies").then(|| {
            let listed = data.related("policies").iter();
            listed.map(|it| it.id.as_str()).map(policy_id).collect()
        });
        let input = data.attributes;
        if new || input.kind.is_some() {
            check_kind(input.kind.as_deref())?;
        }
        let stage = input.execute_as.as_deref().map(|text| {
            text.parse().map_err(|error: domain::UnknownWord| {
                let detail = format!("{text:?} is not one of: {}", error.known);
                PolicyError::invalid("execute-as", detail)
            })
        });
        let version = input.policy_tool_version.as_deref();
        let version = version.map(|it| dialect_of_version("policy-tool-version", it));
        let change = GroupChange {
            name: input.name,
            description: input.description.map(Option::unwrap_or_default),
            kind: new.then_some(GroupKind::Queries),
            dialect: version.transpose()?,
            stage: stage.transpose()?,
            path: input.policies_path.map(Option::unwrap_or_default),
            enforced: input.global,
            overridable: input.overridable,
            links,
            ..GroupChange::default()
        };
        Ok((change, policies.transpose()?))
    }
}

pub(super) fn policy_id(text: &str) -> Result<PolicyId, PolicyError> {
    text.parse().map_err(|_| {
        PolicyError::invalid_relation("policies", format!("{text:?} is no policy of this account"))
    })
}

/// Attributes of type `policy-set-versions`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct VersionAttributes {
    /// `tfe-api` for uploads.
    source: &'static str,
    /// `pending`, `ingressing`, `ready` or `errored`.
    status: &'static str,
    #[schema(value_type = Object)]
    status_timestamps: BTreeMap<String, Timestamp>,
    error: Option<&'static str>,
    error_message: Option<String>,
    #[schema(value_type = Option<Object>)]
    ingress_attributes: Option<Value>,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    updated_at: Timestamp,
}

fn word(status: RevisionStatus) -> &'static str {
    match status {
        RevisionStatus::Pending => "pending",
        RevisionStatus::Fetching | RevisionStatus::Checking => "ingressing",
        RevisionStatus::Good => "ready",
        RevisionStatus::FailingTests | RevisionStatus::Errored => "errored",
    }
}

/// A revision as a version of a policy set.
pub(super) fn version(revision: &Revision, upload: Option<String>) -> Resource<VersionAttributes> {
    let mut stamps = BTreeMap::new();
    for (name, time) in &revision.timestamps {
        if let Ok(status) = name.trim_end_matches("-at").parse() {
            stamps.insert(format!("{}-at", word(status)), *time);
        }
    }
    let attributes = VersionAttributes {
        source: match revision.source {
            PolicySource::Repository => "git",
            PolicySource::Upload | PolicySource::Policies => "tfe-api",
        },
        status: word(revision.status),
        error: revision.error_message.as_ref().map(|_| "invalid_policies"),
        error_message: revision.error_message.clone(),
        ingress_attributes: revision.commit.as_ref().map(|commit| {
            serde_json::json!({ "commit-sha": commit.sha, "commit-url": null, "identifier": null })
        }),
        updated_at: stamps.values().max().copied().unwrap_or(revision.created_at),
        status_timestamps: stamps,
        created_at: revision.created_at,
    };
    let resource = Resource::new("policy-set-versions", &revision.id, attributes)
        .to_one("policy-set", "policy-sets", Some(&revision.group_id))
        .link(
            "self",
            format!("/api/v2/policy-set-versions/{}", revision.id),
        );
    match upload {
        Some(url) => resource.link("upload", url),
        None => resource,
    }
}
