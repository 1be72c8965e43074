//! Roles and permissions on the wire.

use domain::access::Scope;
use domain::permission::Permission;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::Role;
use super::service::RoleChange;
use crate::clock::Timestamp;
use crate::http::attributes::Attributes;
use crate::http::jsonapi::{Resource, zulu_or_null};

/// Attributes of type `permissions`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PermissionAttributes {
    pub description: &'static str,
    /// The scopes at which a grant can give it.
    #[schema(value_type = Vec<String>)]
    pub applicable_scopes: &'static [Scope],
}

/// A permission as a JSON:API object; its name is its id.
pub(super) fn permission(permission: Permission) -> Resource<PermissionAttributes> {
    let attributes = PermissionAttributes {
        description: permission.description(),
        applicable_scopes: permission.scopes(),
    };
    Resource::new("permissions", permission, attributes)
}

/// Attributes of type `roles`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RoleAttributes {
    pub name: String,
    pub description: String,
    /// Roles of the system's can't be changed.
    pub is_system: bool,
    /// Permissions and wildcards, as they were given.
    pub permissions: Vec<String>,
    /// What they mean now.
    pub effective_permissions: Vec<&'static str>,
    #[serde(serialize_with = "zulu_or_null")]
    #[schema(value_type = Option<String>)]
    pub updated_at: Option<Timestamp>,
}

/// A role as a JSON:API object.
pub(super) fn role(role: &Role) -> Resource<RoleAttributes> {
    let attributes = RoleAttributes {
        name: role.name.clone(),
        description: role.description.clone(),
        is_system: role.is_system(),
        permissions: role.words.clone(),
        effective_permissions: role.permissions().iter().map(Permission::as_str).collect(),
        updated_at: role.changed_at,
    };
    Resource::new("roles", &role.id, attributes).link("self", format!("/api/v2/roles/{}", role.id))
}

/// What a create or update may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct RoleInput {
    pub name: Option<String>,
    pub description: Option<String>,
    /// Names from `GET permissions`, and wildcards: `workspaces:*`, `*:read`, `*:*`.
    pub permissions: Option<Vec<String>>,
}

impl Attributes for RoleInput {
    const TYPES: &'static [&'static str] = &["roles"];
}

impl From<RoleInput> for RoleChange {
    fn from(input: RoleInput) -> Self {
        Self {
            name: input.name,
            description: input.description,
            words: input.permissions,
        }
    }
}
