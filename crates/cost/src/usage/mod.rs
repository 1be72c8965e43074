//! Usage files: how much of what is paid by use will be used.
//!
//! The form is the one that people have: `resource_usage` by address (a key `[*]` stands for all instances), and
//! `resource_type_default_usage` by type. What an address says wins over its `[*]`, that over its type, value by value.

mod yaml;

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use crate::eval::Value;

/// A usage file that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// It is not in the subset of YAML that usage files are written in.
    #[error("line {line} of the usage file: {reason}")]
    Line {
        /// Counted from one.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// `resource_usage` is no map of maps.
    #[error("the usage file needs resource_usage: a map from resource addresses to quantities")]
    Shape,
}

/// Assumed use, by resource.
#[derive(Debug, Default)]
pub struct Usage {
    by_address: HashMap<String, Json>,
    by_type: HashMap<String, Json>,
}

impl Usage {
    /// Reads a usage file.
    ///
    /// # Errors
    /// The first line that can't be understood.
    pub fn parse(text: &str) -> Result<Self, UsageError> {
        Self::of_document(&yaml::parse(text)?)
    }

    /// Reads several files as one, the weakest first: a later one wins, value by value.
    ///
    /// # Errors
    /// The first line that can't be understood.
    pub fn layered<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, UsageError> {
        let mut whole = Map::new();
        for text in texts {
            overlay(&mut whole, &yaml::parse(text)?);
        }
        Self::of_document(&Json::Object(whole))
    }

    fn of_document(document: &Json) -> Result<Self, UsageError> {
        let mut usage = Self {
            by_address: section(document, "resource_usage")?,
            by_type: section(document, "resource_type_default_usage")?,
        };
        // Wildcards and types are folded into the addresses that are named, so that a look-up borrows.
        let addresses: Vec<String> = usage.by_address.keys().cloned().collect();
        for address in addresses {
            let wildcard = wildcard(&address);
            let kind = kind_of(&address);
            let mut whole = Map::new();
            let layers = [
                usage.by_type.get(kind),
                usage
                    .by_address
                    .get(&wildcard)
                    .filter(|_| wildcard != address),
                usage.by_address.get(&address),
            ];
            for layer in layers.into_iter().flatten() {
                overlay(&mut whole, layer);
            }
            usage.by_address.insert(address, Json::Object(whole));
        }
        Ok(usage)
    }

    /// The addresses that the file names.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.by_address.keys().map(String::as_str)
    }

    pub(crate) fn of(&self, address: &str, kind: &str) -> Value<'_> {
        let found = self
            .by_address
            .get(address)
            .or_else(|| self.by_address.get(&wildcard(address)))
            .or_else(|| self.by_address.get(kind))
            .or_else(|| self.by_type.get(kind));
        found.map_or(Value::Null, |json| Value::of(json, None))
    }
}

fn section(document: &Json, name: &str) -> Result<HashMap<String, Json>, UsageError> {
    match document.get(name) {
        None | Some(Json::Null) => Ok(HashMap::new()),
        Some(Json::Object(entries)) => Ok(entries
            .iter()
            .filter(|(_, value)| value.is_object())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()),
        Some(_) => Err(UsageError::Shape),
    }
}

/// `a.b["x"]` → `a.b[*]`
fn wildcard(address: &str) -> String {
    match address.rfind('[') {
        Some(open) if address.ends_with(']') => format!("{}[*]", &address[..open]),
        _ => address.to_owned(),
    }
}

/// The type in an address: the part before the last name, outside of keys.
fn kind_of(address: &str) -> &str {
    let plain = address.split('[').next().unwrap_or(address);
    plain.rsplit('.').nth(1).unwrap_or(plain)
}

fn overlay(onto: &mut Map<String, Json>, layer: &Json) {
    let Some(layer) = layer.as_object() else {
        return;
    };
    for (name, value) in layer {
        match (onto.get_mut(name), value) {
            (Some(Json::Object(inner)), Json::Object(_)) => overlay(inner, value),
            _ => {
                onto.insert(name.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_file_wins_value_by_value() {
        let weak = "resource_usage:\n  t.a:\n    x: 1\n    y: 2\nresource_type_default_usage:\n  u:\n    z: 5\n";
        let strong = "resource_usage:\n  t.a:\n    y: 3\n";
        let usage = Usage::layered([weak, strong]).unwrap();
        assert_eq!(usage.of("t.a", "t").field("x").text(), "1");
        assert_eq!(usage.of("t.a", "t").field("y").text(), "3");
        assert_eq!(usage.of("u.b", "u").field("z").text(), "5");
        assert!(Usage::layered([]).is_ok());
    }

    #[test]
    fn the_nearest_layer_wins_value_by_value() {
        let text = "resource_usage:\n  t.a[*]:\n    x: 1\n    y: 2\n  t.a[0]:\n    y: 3\n";
        let usage = Usage::parse(text).unwrap();
        assert_eq!(usage.of("t.a[0]", "t").field("x").text(), "1");
        assert_eq!(usage.of("t.a[0]", "t").field("y").text(), "3");
        assert_eq!(usage.of("t.a[9]", "t").field("y").text(), "2");
    }
}
