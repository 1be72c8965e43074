//! Memberships on the wire. Source: TFE contract, appendix (`organization-memberships`); user name,
//! role and password are ours.

use domain::Secret;
use domain::access::Role;
use domain::ids::MembershipId;
use domain::permission::Permission;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::service::NewMember;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::http::attributes::{Attributes, Words};
use crate::http::jsonapi::{InputData, Resource, zulu};
use crate::iam::model::Member;
use crate::iam::{IamError, Target, authorize};

/// Attributes of type `organization-memberships`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct MembershipAttributes {
    /// Always `active`: there is nothing to accept.
    pub status: &'static str,
    pub username: String,
    /// Shown to the user and to administrators only.
    pub email: Option<String>,
    /// `admin` or `reader` for who has that role in the whole account, else `member`.
    #[schema(value_type = String)]
    pub role: Role,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    /// The password that was made up for the new user: in the answer to the creation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_password: Option<String>,
}

/// A membership as a JSON:API object.
pub(super) fn resource(
    ctx: &Context,
    member: &Member,
    organization: Option<&str>,
    initial_password: Option<&Secret>,
) -> Resource<MembershipAttributes> {
    let own = ctx.actor.user().as_ref() == Some(&member.id);
    let target = Target::new("users", &member.id);
    let administers = authorize(ctx, Permission::UsersUpdate, target).is_ok();
    let attributes = MembershipAttributes {
        status: "active",
        username: member.username.clone(),
        email: (own || administers).then(|| member.email.clone()),
        role: member.role,
        created_at: member.created_at,
        initial_password: initial_password.map(|it| it.expose().clone()),
    };
    let id = MembershipId::beside(member.id.body());
    let resource = Resource::new("organization-memberships", &id, attributes)
        .to_one("user", "users", Some(&member.id))
        .link("self", format!("/api/v2/organization-memberships/{id}"));
    match organization {
        Some(name) => resource.to_one("organization", "organizations", Some(name)),
        None => resource,
    }
}

/// What a create may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct MembershipInput {
    pub email: Option<String>,
    /// What stands before the `@` of the address, unless given.
    pub username: Option<String>,
    /// `admin` or `reader` in the whole account, or `member` for nothing yet; `reader` unless given.
    pub role: Option<String>,
    /// One is made up, and shown once, unless given.
    #[schema(value_type = Option<String>)]
    pub password: Option<Secret>,
}

impl Attributes for MembershipInput {
    const TYPES: &'static [&'static str] = &["organization-memberships"];
    const RELATIONS: Words = &[("teams", &["teams"])];
}

/// # Errors
/// [`IamError::Invalid`], naming the field.
pub(super) fn new_member(input: InputData<MembershipInput>) -> Result<NewMember, IamError> {
    let invalid = |field, detail: String| IamError::Invalid { field, detail };
    if !input.related("teams").is_empty() {
        return Err(invalid(
            "/data/relationships/teams",
            "teams are not given here: put the user into them with POST \
             teams/TEAM/relationships/users"
                .to_owned(),
        ));
    }
    let asked = input.attributes;
    let email = asked.email.unwrap_or_default().trim().to_owned();
    let name = match email.split_once('@') {
        Some((name, host)) if !name.is_empty() && !host.is_empty() && email.len() <= 254 => name,
        Some(_) | None => {
            return Err(invalid(
                "/data/attributes/email",
                format!("{email:?} is no e-mail address"),
            ));
        }
    };
    let role = match asked.role.as_deref() {
        None => Role::Reader,
        Some(text) => text.parse().map_err(|error: domain::UnknownWord| {
            invalid(
                "/data/attributes/role",
                format!("{text:?} is not one of: {}", error.known),
            )
        })?,
    };
    Ok(NewMember {
        username: asked.username.unwrap_or_else(|| name.to_owned()),
        email,
        role,
        password: asked.password,
    })
}
