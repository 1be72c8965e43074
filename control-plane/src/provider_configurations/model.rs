//! What a provider configuration is.

use std::collections::BTreeMap;

use domain::Secret;
use domain::ids::{EnvironmentId, ProjectId, ProviderConfigurationId, ProviderLinkId, WorkspaceId};
use domain::provider::{AccessMethod, Provider};

use super::error::ConfigurationError;
use crate::clock::Timestamp;

/// How many an account may have.
pub(super) const MAX_CONFIGURATIONS: i64 = 500;
/// How many a workspace may link.
pub(super) const MAX_LINKS: i64 = 20;

/// Secrets by name.
pub(super) type Secrets = BTreeMap<String, Secret>;

/// A configuration, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    pub id: ProviderConfigurationId,
    /// Without one it belongs to the account.
    pub environment_id: Option<EnvironmentId>,
    pub name: String,
    pub provider: Provider,
    pub method: AccessMethod,
    pub settings: BTreeMap<String, String>,
    pub secret_names: Vec<String>,
    /// Given to applies, not to plans.
    pub apply_only: bool,
    /// Given to every workspace that may use it and has no other one for the provider.
    pub is_default: bool,
    /// Whether every environment may use it; else those listed. For one of the account.
    pub is_shared: bool,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Configuration {
    /// # Errors
    /// [`ConfigurationError::Invalid`] for an unusable name.
    pub(super) fn check_name(&self) -> Result<(), ConfigurationError> {
        let usable = (1..=60).contains(&self.name.len())
            && self
                .name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if usable {
            return Ok(());
        }
        Err(ConfigurationError::invalid(
            "name",
            "use 1 to 60 letters, digits, dashes, underscores and dots",
        ))
    }
}

/// What a create asks for.
#[derive(Debug)]
pub struct NewConfiguration {
    pub name: String,
    pub provider: Provider,
    pub method: AccessMethod,
    pub settings: BTreeMap<String, String>,
    pub secrets: BTreeMap<String, Secret>,
    pub apply_only: bool,
    pub is_default: bool,
    pub is_shared: bool,
    /// By name or id.
    pub environment: Option<String>,
    /// With whom it is shared, by name or id.
    pub environments: Vec<String>,
}

/// What an update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub struct ConfigurationChange {
    pub name: Option<String>,
    pub method: Option<AccessMethod>,
    pub settings: Option<BTreeMap<String, String>>,
    /// Those named are replaced, or removed by null.
    pub secrets: BTreeMap<String, Option<Secret>>,
    pub apply_only: Option<bool>,
    pub is_default: Option<bool>,
    pub is_shared: Option<bool>,
    pub environments: Option<Vec<String>>,
}

/// That a workspace uses a configuration.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Link {
    pub id: ProviderLinkId,
    pub configuration_id: ProviderConfigurationId,
    pub configuration_name: String,
    pub workspace_id: WorkspaceId,
    pub workspace_name: String,
    pub environment_id: EnvironmentId,
    pub project_id: ProjectId,
    /// Empty: the provider itself.
    pub alias: String,
    pub created_at: Timestamp,
}

/// # Errors
/// [`ConfigurationError::Invalid`] for what Terraform would not take as an alias.
pub(super) fn check_alias(alias: &str) -> Result<(), ConfigurationError> {
    let usable = alias.is_empty()
        || alias.len() <= 60
            && alias.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && alias
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if usable {
        return Ok(());
    }
    Err(ConfigurationError::invalid(
        "alias",
        "use up to 60 letters, digits, `_` and `-`, beginning with a letter or `_`",
    ))
}
