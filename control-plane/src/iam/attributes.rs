//! Users on the wire. Source: TFE contract, sections 1.4 and 4.

use domain::access::{ActorKind, Role};
use domain::permission::Permission;
use serde::Serialize;
use utoipa::ToSchema;

use super::authorize::{Target, authorize};
use super::model::Member;
use crate::context::Context;
use crate::http::jsonapi::Resource;

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
        is_service_account: ctx.actor.id != member.id.as_str()
            && ctx.actor.kind != ActorKind::User
            && member.id.body() == ctx.actor.id.split_once('-').map_or("", |(_, body)| body),
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
