//! `policies.json`: the same as `policies.hcl`, as HCL's JSON form has it.

use serde_json::{Map, Value};

use super::{Fields, GroupKind, Manifest};
use crate::Problem;
use crate::rego::source::{SourceFile, admit};

pub(super) fn read(file: &SourceFile) -> Result<Manifest, Problem> {
    admit(file)?;
    let document: Value = serde_json::from_str(&file.text).map_err(|error| {
        Problem::of_file(&file.path, error.to_string(), "mend the JSON at this place").at(
            u32::try_from(error.line()).unwrap_or(u32::MAX),
            u32::try_from(error.column()).unwrap_or(u32::MAX),
        )
    })?;
    let blocks = match document.get("policy") {
        Some(Value::Object(blocks)) => vec![blocks],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_object).collect(),
        _ => {
            return Err(Problem::of_file(
                &file.path,
                "the file declares no policy",
                "write {\"policy\": {\"NAME\": {\"query\": …, \"enforcement_level\": …}}}",
            ));
        }
    };
    let entries = blocks
        .into_iter()
        .flatten()
        .map(|(name, body)| fields(file, name, body).entry(GroupKind::Queries, &file.path, None))
        .collect();
    Ok(Manifest {
        kind: GroupKind::Queries,
        file: file.path.clone(),
        entries,
        problems: Vec::new(),
    })
}

fn fields(file: &SourceFile, name: &str, body: &Value) -> Fields {
    let mut fields = Fields::new(name.to_owned());
    let empty = Map::new();
    for (key, value) in body.as_object().unwrap_or(&empty) {
        let text = value.as_str().map(str::to_owned);
        let understood = match key.as_str() {
            "query" => {
                fields.query.clone_from(&text);
                text.is_some()
            }
            "enforcement_level" => {
                fields.enforcement.clone_from(&text);
                text.is_some()
            }
            "description" => {
                fields.description = text.clone().unwrap_or_default();
                text.is_some()
            }
            "enabled" => {
                fields.enabled = value.as_bool() != Some(false);
                value.is_boolean()
            }
            _ => continue,
        };
        if !understood {
            fields.problems.push(Problem::of_file(
                &file.path,
                format!("the value of `{key}` of the policy `{name}` has the wrong type"),
                "write text in quotes, or true or false for enabled",
            ));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_json_forms_are_read() {
        for text in [
            r#"{"policy": {"a": {"query": "data.a.deny", "enforcement_level": "mandatory"}}}"#,
            r#"{"policy": [{"a": {"query": "data.a.deny", "enforcement_level": "mandatory"}}]}"#,
        ] {
            let manifest = read(&SourceFile::new("policies.json", text)).unwrap();
            assert_eq!(manifest.entries[0].query.as_deref(), Some("data.a.deny"));
        }
    }
}
