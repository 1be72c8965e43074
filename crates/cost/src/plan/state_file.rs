//! A state as Terraform stores it (version 4): resources with instances, without configuration.

use std::fmt::Write as _;
use std::io::Read;

use serde::Deserialize;
use serde_json::Value;

use super::{Entity, PlanError};

#[derive(Deserialize)]
struct File {
    version: u64,
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(default)]
    module: Option<String>,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    instances: Vec<Instance>,
}

#[derive(Deserialize)]
struct Instance {
    #[serde(default)]
    index_key: Option<Value>,
    /// What is left of a replacement that failed: it exists, and costs.
    #[serde(default)]
    deposed: Option<String>,
    #[serde(default)]
    attributes: Value,
    /// Paths into the attributes.
    #[serde(default)]
    sensitive_attributes: Option<Vec<Value>>,
}

/// Where resources have their tags. What depends on a tag is shown to more people than a state is.
const TAGS: [&str; 4] = ["tags", "tags_all", "labels", "effective_labels"];

impl Instance {
    /// Its attributes, without any tags if some of them are sensitive: providers repeat them elsewhere.
    fn shown(&mut self) -> Value {
        let first = |path: &Value| path.get(0)?.get("value")?.as_str().map(str::to_owned);
        let sensitive = self.sensitive_attributes.iter().flatten();
        let hidden = sensitive
            .filter_map(first)
            .any(|name| TAGS.contains(&name.as_str()) || name == "terraform_labels");
        let mut attributes = self.attributes.take();
        if hidden && let Some(attributes) = attributes.as_object_mut() {
            attributes.retain(|name, _| !TAGS.contains(&name.as_str()));
        }
        attributes
    }
}

/// Its managed resource instances.
pub(super) fn read(reader: impl Read) -> Result<Vec<Entity>, PlanError> {
    let file: File = serde_json::from_reader(reader).map_err(PlanError::Json)?;
    if file.version != 4 {
        return Err(PlanError::Version(format!("of state {}", file.version)));
    }
    let mut found = Vec::new();
    for resource in file.resources {
        if resource.mode != "managed" {
            continue;
        }
        for mut instance in resource.instances {
            let mut address = match &resource.module {
                Some(module) if !module.is_empty() => format!("{module}."),
                Some(_) | None => String::new(),
            };
            // Writing to a String can't fail.
            let _ = write!(address, "{}.{}", resource.kind, resource.name);
            if let Some(key) = &instance.index_key {
                let _ = write!(address, "[{key}]");
            }
            if let Some(deposed) = &instance.deposed {
                let _ = write!(address, " (deposed {deposed})");
            }
            found.push(Entity::new(
                address,
                resource.module.clone(),
                resource.kind.clone(),
                resource.name.clone(),
                instance.index_key.take(),
                instance.shown(),
                Value::Null,
            ));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_have_the_addresses_that_plans_give_them() {
        let state = r#"{"version":4,"serial":1,"resources":[
            {"module":"module.a[\"x\"]","mode":"managed","type":"aws_eip","name":"b","instances":[
                {"index_key":0,"attributes":{}},{"index_key":"k","attributes":{}},
                {"deposed":"0123","attributes":{}}]},
            {"mode":"data","type":"aws_ami","name":"c","instances":[{"attributes":{}}]}]}"#;
        let found = read(state.as_bytes()).unwrap();
        let addresses: Vec<&str> = found.iter().map(|it| it.address.as_str()).collect();
        assert_eq!(
            addresses,
            [
                r#"module.a["x"].aws_eip.b[0]"#,
                r#"module.a["x"].aws_eip.b["k"]"#,
                r#"module.a["x"].aws_eip.b (deposed 0123)"#,
            ]
        );
    }

    #[test]
    fn sensitive_tags_are_not_shown() {
        let state = r#"{"version":4,"resources":[{"mode":"managed","type":"aws_eip","name":"b",
            "instances":[{"attributes":{"id":"x","tags":{"a":"s"},"tags_all":{"a":"s"}},
                "sensitive_attributes":[[{"type":"get_attr","value":"tags"},
                    {"type":"index","value":{"value":"a","type":"string"}}]]}]}]}"#;
        let found = read(state.as_bytes()).unwrap();
        assert_eq!(found[0].values, serde_json::json!({"id": "x"}));
    }

    #[test]
    fn what_is_no_state_is_refused() {
        assert!(matches!(read(&b"{}"[..]), Err(PlanError::Json(_))));
        assert!(matches!(
            read(&br#"{"version":3}"#[..]),
            Err(PlanError::Version(_))
        ));
    }
}
