//! The resources of one side of a plan, and how they are found.

use std::cell::OnceCell;
use std::collections::HashMap;

use serde_json::Value;

/// A managed resource instance with its attributes.
#[derive(Debug)]
pub(crate) struct Entity {
    pub(crate) address: String,
    /// With instance keys; `None` in the root module.
    pub(crate) module: Option<String>,
    pub(crate) kind: String,
    pub(crate) name: String,
    /// `[0]`, `["a"]`, or empty.
    pub(crate) key: String,
    pub(crate) values: Value,
    /// In the shape of `values`: `true` where a value is not known before the apply.
    pub(crate) unknown: Value,
}

impl Entity {
    pub(super) fn new(
        address: String,
        module: Option<String>,
        kind: String,
        name: String,
        index: Option<Value>,
        values: Value,
        unknown: Value,
    ) -> Self {
        let key = index.map_or_else(String::new, |index| format!("[{index}]"));
        Self {
            address,
            module: module.filter(|module| !module.is_empty()),
            kind,
            name,
            key,
            values,
            unknown,
        }
    }

    /// `module.a.module.b` without instance keys; empty in the root.
    pub(crate) fn module_path(&self) -> String {
        without_keys(self.module.as_deref().unwrap_or_default())
    }

    /// `TYPE.NAME`.
    pub(crate) fn base(&self) -> String {
        format!("{}.{}", self.kind, self.name)
    }
}

/// Drops `[…]` from an address.
pub(crate) fn without_keys(address: &str) -> String {
    let (mut out, mut depth, mut quoted) = (String::new(), 0_u32, false);
    for c in address.chars() {
        match c {
            '"' if depth > 0 => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth = depth.saturating_sub(1),
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

/// Resources, found by configuration address, by type, or by what identifies them in the cloud.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) entities: Vec<Entity>,
    /// By (module without keys, `TYPE.NAME`).
    by_base: HashMap<(String, String), Vec<usize>>,
    by_kind: HashMap<String, Vec<usize>>,
    by_identity: OnceCell<HashMap<String, Vec<usize>>>,
}

/// Attributes by which other resources name this one.
const IDENTITIES: [&str; 8] = [
    "id",
    "arn",
    "name",
    "self_link",
    "family",
    "cluster_identifier",
    "replication_group_id",
    "bucket",
];

impl World {
    pub(super) fn new(mut entities: Vec<Entity>) -> Self {
        entities.sort_by(|a, b| a.address.cmp(&b.address));
        let mut by_base: HashMap<(String, String), Vec<usize>> = HashMap::new();
        let mut by_kind: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, entity) in entities.iter().enumerate() {
            by_base
                .entry((entity.module_path(), entity.base()))
                .or_default()
                .push(index);
            by_kind.entry(entity.kind.clone()).or_default().push(index);
        }
        Self {
            entities,
            by_base,
            by_kind,
            by_identity: OnceCell::new(),
        }
    }

    pub(crate) fn instances(&self, module: &str, base: &str) -> &[usize] {
        self.by_base
            .get(&(module.to_owned(), base.to_owned()))
            .map_or(&[], Vec::as_slice)
    }

    pub(crate) fn of_kind(&self, kind: &str) -> &[usize] {
        self.by_kind.get(kind).map_or(&[], Vec::as_slice)
    }

    /// The resources that are identified by a value, such as an ARN or a name.
    pub(crate) fn identified(&self, value: &str) -> &[usize] {
        let index = self.by_identity.get_or_init(|| {
            let mut index: HashMap<String, Vec<usize>> = HashMap::new();
            for (at, entity) in self.entities.iter().enumerate() {
                let named = IDENTITIES
                    .iter()
                    .filter_map(|name| entity.values.get(name)?.as_str());
                for value in named {
                    let known = index.entry(value.to_owned()).or_default();
                    if known.last() != Some(&at) {
                        known.push(at);
                    }
                }
            }
            index
        });
        index.get(value).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_dropped_even_with_brackets_and_dots_inside() {
        assert_eq!(
            without_keys(r#"module.a["x.y]z"].module.b[0]"#),
            "module.a.module.b"
        );
    }
}
