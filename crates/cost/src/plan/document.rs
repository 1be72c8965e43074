//! The JSON of plans and states, as Terraform documents it (JSON output format). Only what is read is named;
//! the rest is skipped while it streams by.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub(super) struct Document {
    #[serde(default)]
    pub(super) format_version: Option<String>,
    #[serde(default)]
    pub(super) resource_changes: Option<Vec<ResourceChange>>,
    #[serde(default)]
    pub(super) planned_values: Option<StateValues>,
    #[serde(default)]
    pub(super) prior_state: Option<State>,
    /// Of a state.
    #[serde(default)]
    pub(super) values: Option<StateValues>,
    #[serde(default)]
    pub(super) configuration: Option<ConfigurationTree>,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, Variable>,
}

/// Of a plan, what is left when its resources are not wanted.
#[derive(Deserialize)]
pub(super) struct Configured {
    #[serde(default)]
    pub(super) configuration: Option<ConfigurationTree>,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, Variable>,
}

#[derive(Deserialize)]
pub(super) struct State {
    #[serde(default)]
    pub(super) values: Option<StateValues>,
}

#[derive(Deserialize, Default, Clone)]
pub(super) struct StateValues {
    #[serde(default)]
    pub(super) root_module: Option<Module>,
}

#[derive(Deserialize, Clone)]
pub(super) struct Module {
    #[serde(default)]
    pub(super) address: Option<String>,
    #[serde(default)]
    pub(super) resources: Vec<Resource>,
    #[serde(default)]
    pub(super) child_modules: Vec<Module>,
}

#[derive(Deserialize, Clone)]
pub(super) struct Resource {
    pub(super) address: String,
    #[serde(default)]
    pub(super) mode: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) index: Option<Value>,
    #[serde(default)]
    pub(super) values: Value,
}

#[derive(Deserialize)]
pub(super) struct ResourceChange {
    pub(super) address: String,
    #[serde(default)]
    pub(super) module_address: Option<String>,
    #[serde(default)]
    pub(super) mode: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) index: Option<Value>,
    #[serde(default)]
    pub(super) deposed: Option<String>,
    pub(super) change: Change,
}

#[derive(Deserialize)]
pub(super) struct Change {
    pub(super) actions: Vec<String>,
    #[serde(default)]
    pub(super) before: Value,
    #[serde(default)]
    pub(super) after: Value,
    #[serde(default)]
    pub(super) after_unknown: Value,
}

#[derive(Deserialize)]
pub(super) struct Variable {
    #[serde(default)]
    pub(super) value: Value,
}

#[derive(Deserialize, Default)]
pub(super) struct ConfigurationTree {
    #[serde(default)]
    pub(super) provider_config: BTreeMap<String, ProviderConfig>,
    #[serde(default)]
    pub(super) root_module: ConfigurationModule,
}

#[derive(Deserialize)]
pub(super) struct ProviderConfig {
    #[serde(default)]
    pub(super) module_address: Option<String>,
    #[serde(default)]
    pub(super) expressions: Value,
}

#[derive(Deserialize, Default)]
pub(super) struct ConfigurationModule {
    #[serde(default)]
    pub(super) resources: Vec<ConfigurationResource>,
    #[serde(default)]
    pub(super) module_calls: BTreeMap<String, ModuleCall>,
    #[serde(default)]
    pub(super) outputs: BTreeMap<String, Output>,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, VariableDeclaration>,
}

#[derive(Deserialize)]
pub(super) struct ConfigurationResource {
    pub(super) address: String,
    #[serde(default)]
    pub(super) provider_config_key: Option<String>,
    #[serde(default)]
    pub(super) expressions: Value,
    #[serde(default)]
    pub(super) for_each_expression: Value,
}

#[derive(Deserialize, Default)]
pub(super) struct ModuleCall {
    #[serde(default)]
    pub(super) expressions: Value,
    #[serde(default)]
    pub(super) module: ConfigurationModule,
}

#[derive(Deserialize)]
pub(super) struct Output {
    #[serde(default)]
    pub(super) expression: Value,
}

#[derive(Deserialize)]
pub(super) struct VariableDeclaration {
    #[serde(default)]
    pub(super) default: Value,
}
