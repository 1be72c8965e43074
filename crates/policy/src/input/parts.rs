//! Reading an input without the parts of its plan that nobody asks for. Most of what asking one policy
//! takes is making values of a plan: its planned values, prior state and configuration say much that is
//! in its changes as well, and few policies read all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use regorus::Value;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

/// What is looked at after the evaluation, whatever the policy reads: the addresses of resources.
const ALWAYS: [&str; 2] = ["resource_changes", "resource_drift"];

/// Whether the plan has this name in an input.
pub(crate) fn is_plan(name: &str) -> bool {
    name == "tfplan" || name == "plan"
}

/// Parses an input with these parts of its plan.
pub(super) fn parse(json: &str, parts: &BTreeSet<String>) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = Document { parts }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// The whole document.
struct Document<'a> {
    parts: &'a BTreeSet<String>,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(name) = from.next_key::<String>()? {
            let value = if is_plan(&name) {
                from.next_value_seed(Plan { parts: self.parts })?
            } else {
                from.next_value::<Value>()?
            };
            fields.insert(Value::from(name), value);
        }
        Ok(Value::from(fields))
    }
}

/// The plan in it.
struct Plan<'a> {
    parts: &'a BTreeSet<String>,
}

impl<'de> DeserializeSeed<'de> for Plan<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Plan<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a plan, which is an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(name) = from.next_key::<String>()? {
            if self.parts.contains(&name) || ALWAYS.contains(&name.as_str()) {
                fields.insert(Value::from(name), from.next_value::<Value>()?);
            } else {
                from.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Value::from(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str, parts: &[&str]) -> Value {
        let parts = parts.iter().map(|it| (*it).to_owned()).collect();
        parse(json, &parts).unwrap()
    }

    #[test]
    fn what_is_asked_for_is_there_and_the_rest_of_the_plan_is_not() {
        let json = r#"{"tfplan": {"resource_changes": [1], "prior_state": {"a": 1},
            "configuration": {"b": [true, null, "x"]}}, "tfrun": {"is_destroy": false}}"#;
        let read = parsed(json, &["configuration"]);
        assert_eq!(
            read,
            Value::from_json_str(
                r#"{"tfplan": {"resource_changes": [1],
                "configuration": {"b": [true, null, "x"]}}, "tfrun": {"is_destroy": false}}"#
            )
            .unwrap()
        );
    }

    #[test]
    fn what_is_no_plan_is_an_error_here() {
        let parts = BTreeSet::new();
        for json in [
            "[]",
            "{\"tfplan\": []}",
            "{\"tfplan\": null}",
            "{} x",
            "{\"tfplan\": {",
        ] {
            assert!(parse(json, &parts).is_err(), "{json}");
        }
    }
}
