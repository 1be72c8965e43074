//! Rules on the wire: `access-rules`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{Rules, networks};
use super::service::RulesChange;
use crate::context::Context;
use crate::http::attributes::Attributes;
use crate::http::jsonapi::{Resource, nullable};
use crate::iam::IamError;

/// Attributes of type `access-rules`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RulesAttributes {
    /// How many days a user's token works at most; null: any number.
    pub user_token_days: Option<i64>,
    /// The same for tokens of service accounts, teams and environments.
    pub service_account_token_days: Option<i64>,
    /// The networks that tokens work from; empty: anywhere.
    pub allowed_networks: Vec<String>,
}

/// The rules as a JSON:API object; their id is the account's.
pub(super) fn resource(ctx: &Context, rules: &Rules) -> Resource<RulesAttributes> {
    let attributes = RulesAttributes {
        user_token_days: rules.user_token_days,
        service_account_token_days: rules.service_account_token_days,
        allowed_networks: rules.written_networks(),
    };
    Resource::new("access-rules", &ctx.actor.account, attributes)
        .link("self", "/api/v2/account/access-rules")
}

/// What an update may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct RulesInput {
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<i64>)]
    pub user_token_days: Option<Option<i64>>,
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<i64>)]
    pub service_account_token_days: Option<Option<i64>>,
    /// Networks such as `10.0.0.0/8`, and single addresses.
    pub allowed_networks: Option<Vec<String>>,
    /// Even if the caller's own address is not among the networks.
    pub force: Option<bool>,
}

impl Attributes for RulesInput {
    const TYPES: &'static [&'static str] = &["access-rules"];
}

/// # Errors
/// [`IamError::Invalid`], naming the field.
pub(super) fn change(input: &RulesInput) -> Result<RulesChange, IamError> {
    Ok(RulesChange {
        user_token_days: input.user_token_days,
        service_account_token_days: input.service_account_token_days,
        networks: input
            .allowed_networks
            .as_deref()
            .map(networks)
            .transpose()?,
        force: input.force.unwrap_or(false),
    })
}
