//! What a state holds, in numbers and names: what lists and pages show without opening it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use terraform::address::Mode;
use terraform::state::{Resource, State};

/// More are counted but not listed: the row must stay small.
const MAX_LINES: usize = 2_000;
const MAX_MODULES: usize = 1_000;

/// How many resources of each type.
pub(super) type Counts = BTreeMap<String, i64>;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Encrypted by the client: nothing else is known.
    pub opaque: bool,
    /// Whole, but beyond what can be indexed: nothing of its resources is known.
    pub unindexed: bool,
    /// Instances of managed resources.
    pub managed: i64,
    /// Instances of data sources.
    pub data: i64,
    /// Module path (`root` for the root module) to types.
    pub modules: BTreeMap<String, Counts>,
    /// Provider as the state has it, to types.
    pub providers: BTreeMap<String, Counts>,
    pub resources: Vec<ResourceLine>,
    /// There are more resources or modules than are listed.
    pub truncated: bool,
}

/// One resource with the number of its instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ResourceLine {
    pub name: String,
    #[serde(rename = "type")]
    pub resource_type: String,
    pub count: i64,
    pub module: String,
    pub provider: String,
}

impl Summary {
    pub(super) fn opaque() -> Self {
        Self {
            opaque: true,
            ..Self::default()
        }
    }

    pub(super) fn unindexed() -> Self {
        Self {
            unindexed: true,
            ..Self::default()
        }
    }

    pub(super) fn of(state: &State) -> Self {
        let mut summary = Self::default();
        for resource in &state.resources {
            summary.count(resource);
        }
        summary
    }

    fn count(&mut self, resource: &Resource) {
        let count = i64::try_from(resource.instances.len()).unwrap_or(i64::MAX);
        let managed = resource.mode == Mode::Managed;
        *(if managed {
            &mut self.managed
        } else {
            &mut self.data
        }) += count;
        let prefix = if managed { "" } else { "data." };
        let path = resource.address(&None).module_path();
        let module = if path.is_empty() {
            "root".to_owned()
        } else {
            path
        };
        let resource_type = format!("{prefix}{}", resource.resource_type);
        // The contract spells types with dashes here, and with underscores in the list.
        let key = resource_type.replace('_', "-");
        if self.modules.len() < MAX_MODULES || self.modules.contains_key(&module) {
            add(&mut self.modules, &module, &key, count);
        } else {
            self.truncated = true;
        }
        add(&mut self.providers, &resource.provider, &key, count);
        if self.resources.len() < MAX_LINES {
            self.resources.push(ResourceLine {
                name: resource.name.clone(),
                resource_type,
                count,
                module,
                provider: resource.provider.clone(),
            });
        } else {
            self.truncated = true;
        }
    }

    /// What a workspace with this state manages. Something, if nobody can tell: a workspace is only
    /// deleted without force when it manages nothing.
    pub(super) fn resource_count(&self) -> i64 {
        if self.opaque || self.unindexed {
            1
        } else {
            self.managed
        }
    }
}

fn add(counts: &mut BTreeMap<String, Counts>, group: &str, key: &str, count: i64) {
    *counts
        .entry(group.to_owned())
        .or_default()
        .entry(key.to_owned())
        .or_default() += count;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_counted_by_module_provider_and_mode() {
        let state = r#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[
            {"mode":"managed","type":"null_resource","name":"a","provider":"p",
             "instances":[{"index_key":0},{"index_key":1}]},
            {"module":"module.net","mode":"data","type":"http_get","name":"b","provider":"q",
             "instances":[{}]}]}"#;
        let summary = Summary::of(&terraform::state::read(state.as_bytes()).unwrap());
        assert_eq!(
            (summary.managed, summary.data, summary.resource_count()),
            (2, 1, 2)
        );
        assert_eq!(summary.modules["root"]["null-resource"], 2);
        assert_eq!(summary.modules["module.net"]["data.http-get"], 1);
        assert_eq!(summary.providers["p"]["null-resource"], 2);
        assert_eq!(summary.resources[1].resource_type, "data.http_get");
    }
}
