//! Invitations and links on the wire.

use domain::Secret;
use domain::access::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::store::Link;
use crate::clock::Timestamp;
use crate::http::attributes::Attributes;
use crate::http::jsonapi::{Resource, zulu};
use crate::iam::IamError;

/// Attributes of type `invitations`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct InvitationAttributes {
    pub email: String,
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub expires_at: Timestamp,
    /// The link to pass on: in the answer to the creation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

pub(super) fn resource(link: &Link, url: Option<&Secret>) -> Resource<InvitationAttributes> {
    let attributes = InvitationAttributes {
        email: link.email.clone(),
        role: link.role,
        created_at: link.created_at,
        expires_at: link.expires_at,
        url: url.map(|it| it.expose().clone()),
    };
    Resource::new("invitations", &link.id, attributes)
}

/// What an invitation may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct InvitationInput {
    pub email: Option<String>,
    /// `admin` or `reader`; `reader` unless given.
    pub role: Option<String>,
}

impl Attributes for InvitationInput {
    const TYPES: &'static [&'static str] = &["invitations"];
}

impl InvitationInput {
    /// # Errors
    /// [`IamError::Invalid`], naming the field.
    pub(super) fn checked(self) -> Result<(String, Role), IamError> {
        let invalid = |field, detail: String| IamError::Invalid { field, detail };
        let email = self.email.unwrap_or_default().trim().to_owned();
        let parts = email.split_once('@');
        if !parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
            || email.len() > 254
            || email.chars().any(char::is_control)
        {
            let detail = format!("{email:?} is no e-mail address");
            return Err(invalid("/data/attributes/email", detail));
        }
        let role = match self.role.as_deref() {
            None => Role::Reader,
            Some(text) => text.parse().map_err(|error: domain::UnknownWord| {
                let detail = format!("{text:?} is not one of: {}", error.known);
                invalid("/data/attributes/role", detail)
            })?,
        };
        Ok((email, role))
    }
}

/// Attributes of type `password-links`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PasswordLinkAttributes {
    /// The link to pass on. It is in this answer and never again.
    pub url: String,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub expires_at: Timestamp,
}
