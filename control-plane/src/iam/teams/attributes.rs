//! Teams on the wire. Source: TFE contract, appendix (`teams`).

use std::collections::BTreeMap;

use domain::ids::UserId;
use domain::permission::Permission;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::Team;
use crate::context::Context;
use crate::http::attributes::{Attributes, Words};
use crate::http::jsonapi::{Resource, nullable};
use crate::iam::{Target, authorize};

/// Attributes of type `teams`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct TeamAttributes {
    pub name: String,
    pub description: Option<String>,
    pub users_count: i64,
    /// Always `organization`: whoever sees the environment sees its teams.
    pub visibility: &'static str,
    pub sso_team_id: Option<String>,
    pub allow_member_token_management: bool,
    /// All false: what a team may do is granted with access policies.
    pub organization_access: BTreeMap<&'static str, bool>,
    pub permissions: TeamPermissions,
}

/// What the caller may do with this team.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct TeamPermissions {
    pub can_update_membership: bool,
    pub can_destroy: bool,
    pub can_update_name: bool,
    pub can_update_organization_access: bool,
    pub can_update_api_token: bool,
    pub can_update_visibility: bool,
}

const ACCESS: [&str; 16] = [
    "access-secret-teams",
    "manage-agent-pools",
    "manage-membership",
    "manage-modules",
    "manage-organization-access",
    "manage-policies",
    "manage-policy-overrides",
    "manage-projects",
    "manage-providers",
    "manage-run-tasks",
    "manage-teams",
    "manage-vcs-settings",
    "manage-workspaces",
    "delegate-policy-overrides",
    "read-projects",
    "read-workspaces",
];

/// A team as a JSON:API object.
pub(super) fn resource(ctx: &Context, team: &Team, members: &[UserId]) -> Resource<TeamAttributes> {
    let target = Target::new("teams", &team.id).in_environment(&team.environment_id);
    let manages = authorize(ctx, Permission::TeamsManage, target).is_ok();
    let attributes = TeamAttributes {
        name: team.name.clone(),
        description: (!team.description.is_empty()).then(|| team.description.clone()),
        users_count: i64::try_from(members.len()).unwrap_or(i64::MAX),
        visibility: "organization",
        sso_team_id: None,
        allow_member_token_management: true,
        organization_access: ACCESS.into_iter().map(|name| (name, false)).collect(),
        permissions: TeamPermissions {
            can_update_membership: manages,
            can_destroy: manages,
            can_update_name: manages,
            can_update_organization_access: false,
            can_update_api_token: false,
            can_update_visibility: false,
        },
    };
    Resource::new("teams", &team.id, attributes)
        .to_one(
            "organization",
            "organizations",
            Some(&team.environment_name),
        )
        .to_many("users", "users", members)
        .link("self", format!("/api/v2/teams/{}", team.id))
}

/// What a create or update may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct TeamInput {
    pub name: Option<String>,
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
}

impl Attributes for TeamInput {
    const TYPES: &'static [&'static str] = &["teams"];
    const WITHOUT_EFFECT: Words = &[
        ("allow-member-token-management", &["true"]),
        ("organization-access", &[]),
        ("sso-team-id", &[]),
        ("visibility", &["organization"]),
    ];
}

/// A user, by their name or their id.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct UserEntry {}

impl Attributes for UserEntry {
    const TYPES: &'static [&'static str] = &["users"];
}
