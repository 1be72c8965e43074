//! Variables on the wire. Source: TFE contract, sections 2.10 and 4.

use domain::Secret;
use domain::workspace::VariableCategory;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::effective::Standing;
use super::error::VariableError;
use super::model::{Owner, Variable};
use super::service::{NewVariable, VariableChange};
use crate::clock::Timestamp;
use crate::http::attributes::{Attributes, Words};
use crate::http::jsonapi::{Resource, nullable, zulu};

/// Attributes of type `vars`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct VariableAttributes {
    pub key: String,
    /// Null when the variable is sensitive: such a value is never shown again.
    pub value: Option<String>,
    pub description: String,
    /// `terraform` or `env`.
    #[schema(value_type = String)]
    pub category: VariableCategory,
    pub hcl: bool,
    pub sensitive: bool,
    /// Whether nothing below its owner, and no run, may give the key another value.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Another one after every change.
    pub version_id: String,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
}

fn attributes(variable: &Variable) -> VariableAttributes {
    VariableAttributes {
        key: variable.key.clone(),
        value: variable.shown_value().map(str::to_owned),
        description: variable.description.clone(),
        category: variable.category,
        hcl: variable.hcl,
        sensitive: variable.sensitive,
        is_final: variable.is_final,
        version_id: format!("{}.{}", variable.id, variable.version),
        created_at: variable.created_at,
    }
}

/// A variable as a JSON:API object.
pub(super) fn resource(variable: &Variable) -> Resource<VariableAttributes> {
    let resource = Resource::new("vars", &variable.id, attributes(variable));
    match &variable.owner {
        Owner::Workspace(workspace) => resource
            .to_one("configurable", "workspaces", Some(workspace))
            .to_one("workspace", "workspaces", Some(workspace))
            .link(
                "self",
                format!("/api/v2/workspaces/{workspace}/vars/{}", variable.id),
            ),
        Owner::Environment(environment) => resource
            .to_one("environment", "environments", Some(environment))
            .link("self", format!("/api/v2/vars/{}", variable.id)),
        Owner::Account => resource.link("self", format!("/api/v2/vars/{}", variable.id)),
    }
}

/// Attributes of type `effective-vars`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct EffectiveAttributes {
    #[serde(flatten)]
    pub variable: VariableAttributes,
    /// Where it comes from: `account`, `environment` or `workspace`.
    pub origin: String,
    /// Variables with the same key that don't count, the strongest first.
    pub overrides: Vec<OverriddenVariable>,
}

/// A variable that doesn't count.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct OverriddenVariable {
    pub id: String,
    /// `account`, `environment` or `workspace`.
    pub origin: String,
}

/// What counts for a workspace, as a JSON:API object.
pub(super) fn effective(standing: &Standing) -> Resource<EffectiveAttributes> {
    let variable = &standing.variable;
    let overridden = standing.overridden.iter().map(|it| OverriddenVariable {
        id: it.id.to_string(),
        origin: it.owner.level().to_owned(),
    });
    let attributes = EffectiveAttributes {
        variable: attributes(variable),
        origin: variable.owner.level().to_owned(),
        overrides: overridden.collect(),
    };
    Resource::new("effective-vars", &variable.id, attributes).to_one(
        "variable",
        "vars",
        Some(&variable.id),
    )
}

/// What a create or update may carry. Absent leaves a thing as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct VariableInput {
    pub key: Option<String>,
    /// Null is the empty value.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub value: Option<Option<Secret>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
    /// `terraform` or `env`.
    pub category: Option<String>,
    pub hcl: Option<bool>,
    pub sensitive: Option<bool>,
    #[serde(rename = "final")]
    pub is_final: Option<bool>,
}

impl Attributes for VariableInput {
    const TYPES: &'static [&'static str] = &["vars"];
    const RELATIONS: Words = &[
        ("configurable", &["workspaces"]),
        ("environment", &["environments", "organizations"]),
        ("workspace", &["workspaces"]),
    ];
}

fn category(text: &str) -> Result<VariableCategory, VariableError> {
    text.parse().map_err(|error: domain::UnknownWord| {
        VariableError::invalid(
            "category",
            format!("{text:?} is not one of: {}", error.known),
        )
    })
}

fn no_value() -> Secret {
    Secret::new(String::new())
}

impl VariableInput {
    /// # Errors
    /// [`VariableError::Invalid`] without a known category.
    pub(super) fn into_new(self) -> Result<NewVariable, VariableError> {
        let named = self.category.as_deref().ok_or_else(|| {
            VariableError::invalid("category", "say whether it is for `terraform` or `env`")
        })?;
        Ok(NewVariable {
            category: category(named)?,
            key: self.key.unwrap_or_default(),
            value: self.value.flatten().unwrap_or_else(no_value),
            description: self.description.flatten().unwrap_or_default(),
            hcl: self.hcl.unwrap_or_default(),
            sensitive: self.sensitive.unwrap_or_default(),
            is_final: self.is_final.unwrap_or_default(),
        })
    }

    /// # Errors
    /// [`VariableError::Invalid`] for an unknown category.
    pub(super) fn into_change(self) -> Result<VariableChange, VariableError> {
        Ok(VariableChange {
            category: self.category.as_deref().map(category).transpose()?,
            key: self.key,
            value: self.value.map(|value| value.unwrap_or_else(no_value)),
            description: self.description.map(Option::unwrap_or_default),
            hcl: self.hcl,
            sensitive: self.sensitive,
            is_final: self.is_final,
        })
    }
}
