//! Provider configurations and links on the wire. TFE has none, so the shape is ours, in its style.

use std::collections::BTreeMap;

use domain::Secret;
use domain::provider::{AccessMethod, Provider};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ConfigurationError;
use super::model::{Configuration, ConfigurationChange, Link, NewConfiguration};
use super::service::Shared;
use crate::clock::Timestamp;
use crate::http::attributes::{Attributes, Words};
use crate::http::jsonapi::{InputData, Resource, zulu};

/// Attributes of type `provider-configurations`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ConfigurationAttributes {
    pub name: String,
    /// `aws`, `azurerm`, `google`, `kubernetes`, `vault` or `custom`.
    #[schema(value_type = String)]
    pub provider: Provider,
    /// `static`, `assume-role` or `oidc`.
    #[schema(value_type = String)]
    pub method: AccessMethod,
    pub settings: BTreeMap<String, String>,
    /// Names of its secrets; their values are never shown.
    pub secret_names: Vec<String>,
    pub apply_only: bool,
    pub is_default: bool,
    pub is_shared: bool,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub updated_at: Timestamp,
}

/// A configuration as a JSON:API object.
pub(super) fn resource(it: &Configuration) -> Resource<ConfigurationAttributes> {
    let attributes = ConfigurationAttributes {
        name: it.name.clone(),
        provider: it.provider,
        method: it.method,
        settings: it.settings.clone(),
        secret_names: it.secret_names.clone(),
        apply_only: it.apply_only,
        is_default: it.is_default,
        is_shared: it.is_shared,
        created_at: it.created_at,
        updated_at: it.updated_at,
    };
    let environment = it.environment_id.as_ref();
    Resource::new("provider-configurations", &it.id, attributes)
        .to_one("environment", "environments", environment)
        .link("self", format!("/api/v2/provider-configurations/{}", it.id))
}

/// The same with those it is shared with.
pub(super) fn shared(it: &Shared) -> Resource<ConfigurationAttributes> {
    resource(&it.configuration).to_many("environments", "environments", &it.environments)
}

/// What a create or update may carry. Absent leaves a thing as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ConfigurationInput {
    pub name: Option<String>,
    /// Stays what it was when it was made.
    pub provider: Option<String>,
    pub method: Option<String>,
    /// All of them: what is missing is removed.
    pub settings: Option<BTreeMap<String, String>>,
    /// Those to be set; null removes one.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    pub secrets: BTreeMap<String, Option<Secret>>,
    pub apply_only: Option<bool>,
    pub is_default: Option<bool>,
    pub is_shared: Option<bool>,
}

impl Attributes for ConfigurationInput {
    const TYPES: &'static [&'static str] = &["provider-configurations"];
    const RELATIONS: Words = &[
        ("environment", &["environments", "organizations"]),
        ("environments", &["environments", "organizations"]),
    ];
}

fn word<T: std::str::FromStr<Err = domain::UnknownWord>>(
    field: &str,
    text: &str,
) -> Result<T, ConfigurationError> {
    text.parse().map_err(|error: domain::UnknownWord| {
        let detail = format!("{text:?} is not one of: {}", error.known);
        ConfigurationError::invalid(field, detail)
    })
}

fn needed<T>(field: &str, value: Option<T>) -> Result<T, ConfigurationError> {
    value.ok_or_else(|| ConfigurationError::invalid(field, "it must be given"))
}

fn environments(input: &InputData<ConfigurationInput>) -> Option<Vec<String>> {
    input.relationships.contains_key("environments").then(|| {
        let named = input.related("environments").iter();
        named.map(|it| it.id.clone()).collect()
    })
}

/// # Errors
/// [`ConfigurationError::Invalid`], naming the field.
pub(super) fn new_configuration(
    input: InputData<ConfigurationInput>,
) -> Result<NewConfiguration, ConfigurationError> {
    let environment = input.to_one("environment").flatten().map(str::to_owned);
    let environments = environments(&input).unwrap_or_default();
    let it = input.attributes;
    let secrets = it.secrets.into_iter();
    Ok(NewConfiguration {
        name: needed("name", it.name)?,
        provider: word("provider", &needed("provider", it.provider)?)?,
        method: word("method", it.method.as_deref().unwrap_or("static"))?,
        settings: it.settings.unwrap_or_default(),
        secrets: secrets
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
        apply_only: it.apply_only.unwrap_or_default(),
        is_default: it.is_default.unwrap_or_default(),
        is_shared: it.is_shared.unwrap_or_default(),
        environment,
        environments,
    })
}

/// # Errors
/// [`ConfigurationError::Invalid`], naming the field.
pub(super) fn change(
    input: InputData<ConfigurationInput>,
) -> Result<ConfigurationChange, ConfigurationError> {
    let environments = environments(&input);
    if input.to_one("environment").is_some() {
        return Err(ConfigurationError::relationship(
            "environment",
            "it stays where it was made; leave this out",
        ));
    }
    let it = input.attributes;
    if it.provider.is_some() {
        return Err(ConfigurationError::invalid(
            "provider",
            "it stays what it was made for; leave this out, or make another one",
        ));
    }
    let method = it.method.as_deref().map(|text| word("method", text));
    Ok(ConfigurationChange {
        name: it.name,
        method: method.transpose()?,
        settings: it.settings,
        secrets: it.secrets,
        apply_only: it.apply_only,
        is_default: it.is_default,
        is_shared: it.is_shared,
        environments,
    })
}

/// Attributes of type `provider-configuration-links`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct LinkAttributes {
    /// Empty: the provider itself.
    pub alias: String,
    pub configuration_name: String,
    pub workspace_name: String,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
}

/// A link as a JSON:API object.
pub(super) fn link(it: &Link) -> Resource<LinkAttributes> {
    let attributes = LinkAttributes {
        alias: it.alias.clone(),
        configuration_name: it.configuration_name.clone(),
        workspace_name: it.workspace_name.clone(),
        created_at: it.created_at,
    };
    let configuration = Some(&it.configuration_id);
    Resource::new("provider-configuration-links", &it.id, attributes)
        .to_one(
            "provider-configuration",
            "provider-configurations",
            configuration,
        )
        .to_one("workspace", "workspaces", Some(&it.workspace_id))
}

/// What a new link carries. The configuration is a relationship.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct LinkInput {
    /// Empty unless given: the provider itself.
    pub alias: Option<String>,
}

impl Attributes for LinkInput {
    const TYPES: &'static [&'static str] = &["provider-configuration-links"];
    const RELATIONS: Words = &[("provider-configuration", &["provider-configurations"])];
}
