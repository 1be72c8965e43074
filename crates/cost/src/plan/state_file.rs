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
}

/// Its managed resource instances, twice: as they are, and as they stay.
pub(super) fn read(reader: impl Read) -> Result<(Vec<Entity>, Vec<Entity>), PlanError> {
    let file: File = serde_json::from_reader(reader).map_err(PlanError::Json)?;
    if file.version != 4 {
        return Err(PlanError::Version(format!("of state {}", file.version)));
    }
    let (mut prior, mut proposed) = (Vec::new(), Vec::new());
    for resource in file.resources {
        if resource.mode != "managed" {
            continue;
        }
        for instance in resource.instances {
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
            let entity = |values: Value| {
                Entity::new(
                    address.clone(),
                    resource.module.clone(),
                    resource.kind.clone(),
                    resource.name.clone(),
                    instance.index_key.clone(),
                    values,
                    Value::Null,
                )
            };
            prior.push(entity(instance.attributes.clone()));
            proposed.push(entity(instance.attributes));
        }
    }
    Ok((prior, proposed))
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
        let (prior, proposed) = read(state.as_bytes()).unwrap();
        let addresses: Vec<&str> = prior.iter().map(|it| it.address.as_str()).collect();
        assert_eq!(
            addresses,
            [
                r#"module.a["x"].aws_eip.b[0]"#,
                r#"module.a["x"].aws_eip.b["k"]"#,
                r#"module.a["x"].aws_eip.b (deposed 0123)"#,
            ]
        );
        assert_eq!(proposed.len(), 3);
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
