//! Limits on the wire.

use domain::cost::LimitAction;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{CostLimit, LimitChange, NewLimit};
use crate::clock::Timestamp;
use crate::costs::CostError;
use crate::http::attributes::Attributes;
use crate::http::jsonapi::{Resource, nullable, zulu};

/// Attributes of type `cost-limits`. Money is decimal text, USD a month.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct LimitAttributes {
    /// What a workspace may cost a month.
    pub monthly_limit: Option<String>,
    /// By how much one plan may raise the cost of a month.
    pub increase_limit: Option<String>,
    /// `warn`, `require-approval` or `block`.
    #[schema(value_type = String)]
    pub action: LimitAction,
    /// What whoever meets the limit is told besides.
    pub message: String,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub updated_at: Timestamp,
}

/// A limit as a JSON:API object.
pub(super) fn resource(limit: &CostLimit) -> Resource<LimitAttributes> {
    let attributes = LimitAttributes {
        monthly_limit: limit.monthly.clone(),
        increase_limit: limit.increase.clone(),
        action: limit.action,
        message: limit.message.clone(),
        created_at: limit.created_at,
        updated_at: limit.updated_at,
    };
    Resource::new("cost-limits", &limit.id, attributes)
        .to_one(
            "organization",
            "organizations",
            Some(&limit.environment_name),
        )
        .to_one("workspace", "workspaces", limit.workspace_id.as_ref())
        .link("self", format!("/api/v2/cost-limits/{}", limit.id))
}

/// What a create or update may carry. Absent leaves a thing as it is; null takes a limit away.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct LimitInput {
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub monthly_limit: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub increase_limit: Option<Option<String>>,
    /// `warn`, `require-approval` or `block`.
    pub action: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub message: Option<Option<String>>,
}

impl Attributes for LimitInput {
    const TYPES: &'static [&'static str] = &["cost-limits"];
}

fn action(text: &str) -> Result<LimitAction, CostError> {
    text.parse().map_err(|error: domain::UnknownWord| {
        CostError::invalid("action", format!("{text:?} is not one of: {}", error.known))
    })
}

impl LimitInput {
    /// # Errors
    /// [`CostError::Invalid`] without a known action.
    pub(super) fn into_new(self) -> Result<NewLimit, CostError> {
        let named = self.action.as_deref().ok_or_else(|| {
            CostError::invalid(
                "action",
                "say what happens when it is broken: `warn`, `require-approval` or `block`",
            )
        })?;
        Ok(NewLimit {
            action: action(named)?,
            monthly: self.monthly_limit.flatten(),
            increase: self.increase_limit.flatten(),
            message: self.message.flatten().unwrap_or_default(),
        })
    }

    /// # Errors
    /// [`CostError::Invalid`] for an unknown action.
    pub(super) fn into_change(self) -> Result<LimitChange, CostError> {
        Ok(LimitChange {
            action: self.action.as_deref().map(action).transpose()?,
            monthly: self.monthly_limit,
            increase: self.increase_limit,
            message: self.message.map(Option::unwrap_or_default),
        })
    }
}
