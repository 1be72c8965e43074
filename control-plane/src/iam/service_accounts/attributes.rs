//! Service accounts on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{ServiceAccount, ServiceAccountChange};
use crate::clock::Timestamp;
use crate::http::attributes::Attributes;
use crate::http::jsonapi::{Resource, zulu};

/// Attributes of type `service-accounts`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ServiceAccountAttributes {
    pub name: String,
    pub description: String,
    /// Whether its tokens work.
    pub enabled: bool,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
}

/// A service account as a JSON:API object.
pub(super) fn resource(account: &ServiceAccount) -> Resource<ServiceAccountAttributes> {
    let attributes = ServiceAccountAttributes {
        name: account.name.clone(),
        description: account.description.clone(),
        enabled: account.enabled,
        created_at: account.created_at,
    };
    Resource::new("service-accounts", &account.id, attributes)
        .link("self", format!("/api/v2/service-accounts/{}", account.id))
}

/// What a create or update may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct ServiceAccountInput {
    pub name: Option<String>,
    pub description: Option<String>,
    pub enabled: Option<bool>,
}

impl Attributes for ServiceAccountInput {
    const TYPES: &'static [&'static str] = &["service-accounts"];
}

impl From<ServiceAccountInput> for ServiceAccountChange {
    fn from(input: ServiceAccountInput) -> Self {
        Self {
            name: input.name,
            description: input.description,
            enabled: input.enabled,
        }
    }
}
