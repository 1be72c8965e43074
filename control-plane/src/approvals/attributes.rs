//! Approval rules on the wire. TFE has none, so the shape is ours, in its style.

use domain::approval::AppliesTo;
use domain::ids::TeamId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ApprovalError;
use super::model::{ApprovalRule, NewRule, RuleChange};
use crate::clock::Timestamp;
use crate::http::attributes::{Attributes, Words};
use crate::http::jsonapi::{InputData, Resource, zulu};

/// Attributes of type `approval-rules`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RuleAttributes {
    /// How many must approve: 1 to 10.
    pub count: i64,
    /// `all` runs, or `destroys`: only those that destroy everything.
    #[schema(value_type = String)]
    pub applies_to: AppliesTo,
    /// `environment` or `workspace`.
    pub scope: &'static str,
    /// Only approvals of its members count; null: of anybody who may apply.
    pub team_name: Option<String>,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
}

/// A rule as a JSON:API object.
pub(super) fn resource(rule: &ApprovalRule) -> Resource<RuleAttributes> {
    let attributes = RuleAttributes {
        count: rule.needed,
        applies_to: rule.applies_to,
        scope: if rule.workspace_id.is_some() {
            "workspace"
        } else {
            "environment"
        },
        team_name: rule.team_name.clone(),
        created_at: rule.created_at,
    };
    Resource::new("approval-rules", &rule.id, attributes)
        .to_one(
            "organization",
            "organizations",
            Some(&rule.environment_name),
        )
        .to_one("workspace", "workspaces", rule.workspace_id.as_ref())
        .to_one("team", "teams", rule.team_id.as_ref())
        .link("self", format!("/api/v2/approval-rules/{}", rule.id))
}

/// What a create or update may carry. The team is a relationship.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct RuleInput {
    /// 1 unless given.
    pub count: Option<i64>,
    /// `all` unless given.
    pub applies_to: Option<String>,
}

impl Attributes for RuleInput {
    const TYPES: &'static [&'static str] = &["approval-rules"];
    const RELATIONS: Words = &[("team", &["teams"])];
}

fn applies_to(input: &RuleInput) -> Result<Option<AppliesTo>, ApprovalError> {
    let word = input.applies_to.as_deref().map(|text| {
        text.parse().map_err(|error: domain::UnknownWord| {
            let detail = format!("{text:?} is not one of: {}", error.known);
            ApprovalError::invalid("applies-to", detail)
        })
    });
    word.transpose()
}

fn team(input: &InputData<RuleInput>) -> Result<Option<Option<TeamId>>, ApprovalError> {
    let named = |text: &str| {
        text.parse::<TeamId>().map_err(|_| ApprovalError::Invalid {
            pointer: "/data/relationships/team".to_owned(),
            detail: format!("{text:?} is no team of this environment"),
        })
    };
    input
        .to_one("team")
        .map(|it| it.map(named).transpose())
        .transpose()
}

/// # Errors
/// [`ApprovalError::Invalid`], naming the field.
pub(super) fn new_rule(input: &InputData<RuleInput>) -> Result<NewRule, ApprovalError> {
    Ok(NewRule {
        team: team(input)?.flatten(),
        needed: input.attributes.count.unwrap_or(1),
        applies_to: applies_to(&input.attributes)?.unwrap_or(AppliesTo::All),
    })
}

/// # Errors
/// [`ApprovalError::Invalid`], naming the field.
pub(super) fn change(input: &InputData<RuleInput>) -> Result<RuleChange, ApprovalError> {
    Ok(RuleChange {
        team: team(input)?,
        needed: input.attributes.count,
        applies_to: applies_to(&input.attributes)?,
    })
}
