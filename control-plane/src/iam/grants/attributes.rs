//! Grants on the wire: `access-policies`.

use domain::access::Scope;
use domain::ids::RoleId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{Grant, Subject};
use super::service::Wanted;
use crate::clock::Timestamp;
use crate::http::attributes::{Attributes, Words};
use crate::http::jsonapi::{InputData, Resource, zulu};
use crate::iam::IamError;
use crate::iam::effective::Place;

/// Attributes of type `access-policies`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct GrantAttributes {
    /// `account`, `environment`, `project` or `workspace`.
    #[schema(value_type = String)]
    pub scope: Scope,
    /// The name of who is granted it.
    pub subject_name: String,
    pub role_name: String,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
}

/// A grant as a JSON:API object.
pub(super) fn resource(grant: &Grant) -> Resource<GrantAttributes> {
    let attributes = GrantAttributes {
        scope: grant.place.scope(),
        subject_name: grant.subject_name.clone(),
        role_name: grant.role_name.clone(),
        created_at: grant.created_at,
    };
    let subject = match &grant.subject {
        Subject::User(_) => "user",
        Subject::Team(_) => "team",
        Subject::ServiceAccount(_) => "service-account",
    };
    let resource = Resource::new("access-policies", &grant.id, attributes)
        .to_one(subject, grant.subject.kind(), Some(grant.subject.id()))
        .to_one("role", "roles", Some(grant.role.id()))
        .link("self", format!("/api/v2/access-policies/{}", grant.id));
    match &grant.place {
        Place::Account => resource,
        Place::Environment(id) => resource.to_one("environment", "environments", Some(id)),
        Place::Project(_, id) => resource.to_one("project", "projects", Some(id)),
        Place::Workspace(_, id) => resource.to_one("workspace", "workspaces", Some(id)),
    }
}

/// A new grant says everything in its relationships: one of `user`, `team` and `service-account`;
/// `role`; and one of `environment`, `project` and `workspace`, or none for the whole account.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct GrantInput {}

impl Attributes for GrantInput {
    const TYPES: &'static [&'static str] = &["access-policies"];
    const RELATIONS: Words = &[
        ("user", &["users"]),
        ("team", &["teams"]),
        ("service-account", &["service-accounts"]),
        ("role", &["roles"]),
        ("environment", &["environments", "organizations"]),
        ("project", &["projects"]),
        ("workspace", &["workspaces"]),
    ];
}

/// # Errors
/// [`IamError::Invalid`], naming the field.
pub(super) fn wanted(input: &InputData<GrantInput>) -> Result<Wanted<'_>, IamError> {
    let invalid = |field, detail: &str| IamError::Invalid {
        field,
        detail: detail.to_owned(),
    };
    let mut subjects = ["user", "team", "service-account"]
        .into_iter()
        .filter_map(|name| Some((name, input.related_id(name)?)));
    let (Some((name, subject)), None) = (subjects.next(), subjects.next()) else {
        return Err(invalid(
            "/data/relationships",
            "name one subject: `user`, `team` or `service-account`",
        ));
    };
    let subject = Subject::parse(subject)
        .filter(|it| it.kind().trim_end_matches('s') == name)
        .ok_or_else(|| invalid("/data/relationships", "the subject must be given by its id"))?;
    let role = input
        .related_id("role")
        .and_then(|id| id.parse::<RoleId>().ok())
        .ok_or_else(|| {
            invalid(
                "/data/relationships/role",
                "name a role by its id; system roles are `role-admin`, `role-user`, \
                 `role-read-only`, `role-account-min-access` and `role-environment-min-access`",
            )
        })?;
    let mut places = ["environment", "project", "workspace"]
        .into_iter()
        .filter_map(|name| input.related_id(name));
    let (place, None) = (places.next(), places.next()) else {
        return Err(invalid(
            "/data/relationships",
            "name one place: `environment`, `project` or `workspace`; none for the account",
        ));
    };
    Ok(Wanted {
        subject,
        role,
        place,
    })
}
