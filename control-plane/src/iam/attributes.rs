//! Users and their tokens on the wire. Source: TFE contract, sections 1.4 and 4.

use domain::access::Role;
use domain::permission::Permission;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::authorize::{Target, authorize};
use super::model::{ApiToken, Member};
use super::secret_token::TokenText;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::http::attributes::Attributes;
use crate::http::jsonapi::{Resource, zulu};

/// Attributes of type `users`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct UserAttributes {
    pub username: String,
    /// Shown to the user and to administrators only.
    pub email: Option<String>,
    /// What the user may do in this account.
    #[schema(value_type = String)]
    pub role: Role,
    pub avatar_url: Option<String>,
    pub is_service_account: bool,
    pub is_site_admin: bool,
    pub is_sso_login: bool,
    pub v2_only: bool,
    pub unconfirmed_email: Option<String>,
    pub two_factor: TwoFactor,
    pub permissions: UserPermissions,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct TwoFactor {
    pub enabled: bool,
    pub verified: bool,
}

/// What the caller may do with this user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct UserPermissions {
    pub can_create_organizations: bool,
    pub can_change_email: bool,
    pub can_change_username: bool,
    pub can_change_password: bool,
    pub can_manage_user_tokens: bool,
}

/// A user as a JSON:API object.
pub(super) fn user(ctx: &Context, member: &Member) -> Resource<UserAttributes> {
    let may = |permission| authorize(ctx, permission, Target::new("users", &member.id)).is_ok();
    let own = ctx.actor.user().as_ref() == Some(&member.id);
    let administers = may(Permission::UsersUpdate);
    let attributes = UserAttributes {
        username: member.username.clone(),
        email: (own || administers).then(|| member.email.clone()),
        role: member.role,
        avatar_url: None,
        is_service_account: false,
        is_site_admin: false,
        is_sso_login: false,
        v2_only: true,
        unconfirmed_email: None,
        two_factor: TwoFactor {
            enabled: false,
            verified: false,
        },
        permissions: UserPermissions {
            can_create_organizations: may(Permission::EnvironmentsCreate),
            can_change_email: false,
            can_change_username: false,
            can_change_password: false,
            can_manage_user_tokens: own || administers,
        },
    };
    Resource::new("users", &member.id, attributes)
        .link("self", format!("/api/v2/users/{}", member.id))
}

/// Attributes of type `authentication-tokens`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct TokenAttributes {
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>)]
    pub last_used_at: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    pub expired_at: Option<Timestamp>,
    pub description: String,
    /// The end of the token, to tell it from others.
    pub last_six: String,
    /// The token itself: in the answer to its creation only.
    pub token: Option<String>,
}

/// A token as a JSON:API object; with its text, once, when it was just made.
pub fn token(token: &ApiToken, text: Option<&TokenText>) -> Resource<TokenAttributes> {
    let attributes = TokenAttributes {
        created_at: token.created_at,
        last_used_at: token.last_used_at,
        expired_at: token.expires_at,
        description: token.description.clone(),
        last_six: token.last_six.clone(),
        token: text.map(|text| text.text.expose().clone()),
    };
    Resource::new("authentication-tokens", &token.id, attributes).to_one(
        "created-by",
        "users",
        Some(&token.user_id),
    )
}

/// What a new token may say.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct TokenInput {
    pub description: Option<String>,
    /// When it stops working; never, if absent.
    #[schema(value_type = Option<String>)]
    pub expired_at: Option<Timestamp>,
}

impl Attributes for TokenInput {
    const TYPES: &'static [&'static str] = &["authentication-tokens"];
}
