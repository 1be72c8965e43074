//! PATCH (RFC 7644, section 3.5.2), as Okta and Entra send it.

use serde::Deserialize;
use serde_json::Value;

use super::error::ScimError;
use super::resource::{GROUP, USER, UserChange, text};

const MAX_OPERATIONS: usize = 1000;

type Result<T> = std::result::Result<T, ScimError>;

#[derive(Debug, Deserialize)]
struct Patch {
    #[serde(rename = "Operations", alias = "operations")]
    operations: Vec<Operation>,
}

#[derive(Debug, Deserialize)]
struct Operation {
    op: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    value: Value,
}

fn operations(body: Value) -> Result<Vec<Operation>> {
    let patch: Patch = serde_json::from_value(body)
        .map_err(|error| ScimError::InvalidSyntax(error.to_string()))?;
    if patch.operations.len() > MAX_OPERATIONS {
        return Err(ScimError::InvalidSyntax(format!(
            "use at most {MAX_OPERATIONS} operations"
        )));
    }
    Ok(patch.operations)
}

/// A path without the schema before it.
fn bare(path: &str) -> &str {
    [USER, GROUP]
        .into_iter()
        .find_map(|urn| path.strip_prefix(urn)?.strip_prefix(':'))
        .unwrap_or(path)
}

pub(super) fn user(body: Value) -> Result<UserChange> {
    let mut change = UserChange::default();
    for operation in operations(body)? {
        let removes = match operation.op.to_ascii_lowercase().as_str() {
            "add" | "replace" => false,
            "remove" => true,
            _ => return Err(unknown(&operation.op)),
        };
        match (&operation.path, &operation.value) {
            (Some(path), _) if removes => change.set(bare(path), &Value::Null)?,
            (Some(path), value) => change.set(bare(path), value)?,
            (None, Value::Object(attributes)) if !removes => {
                for (attribute, value) in attributes {
                    change.set(bare(attribute), value)?;
                }
            }
            (None, _) => return Err(ScimError::InvalidSyntax("an operation has no path".into())),
        }
    }
    Ok(change)
}

fn unknown(op: &str) -> ScimError {
    ScimError::InvalidSyntax(format!("there is no operation {op:?}"))
}

/// One step of a change of a group.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GroupStep {
    Rename(String),
    ExternalId(Option<String>),
    Add(Vec<String>),
    Remove(Vec<String>),
    /// Exactly these are in it.
    Replace(Vec<String>),
}

/// The ids in a list of members.
pub(super) fn member_ids(value: &Value) -> Vec<String> {
    let id = |it: &Value| {
        let text = it.as_str().or_else(|| it.get("value")?.as_str());
        text.map(str::to_owned)
    };
    match value.as_array() {
        Some(list) => list.iter().filter_map(id).collect(),
        None => id(value).into_iter().collect(),
    }
}

pub(super) fn group(body: Value) -> Result<Vec<GroupStep>> {
    let mut steps = Vec::new();
    for operation in operations(body)? {
        let op = operation.op.to_ascii_lowercase();
        if !["add", "replace", "remove"].contains(&op.as_str()) {
            return Err(unknown(&operation.op));
        }
        match &operation.path {
            Some(path) => group_step(&op, bare(path), &operation.value, &mut steps)?,
            None => {
                for (attribute, value) in operation.value.as_object().into_iter().flatten() {
                    group_step(&op, bare(attribute), value, &mut steps)?;
                }
            }
        }
    }
    Ok(steps)
}

fn group_step(op: &str, path: &str, value: &Value, steps: &mut Vec<GroupStep>) -> Result<()> {
    let lower = path.to_ascii_lowercase();
    let step = match lower.as_str() {
        "displayname" => GroupStep::Rename(text("displayName", value)?),
        "externalid" if value.is_null() => GroupStep::ExternalId(None),
        "externalid" => GroupStep::ExternalId(Some(text("externalId", value)?)),
        "members" => match op {
            "add" => GroupStep::Add(member_ids(value)),
            "remove" if value.is_null() => GroupStep::Replace(Vec::new()),
            "remove" => GroupStep::Remove(member_ids(value)),
            _ => GroupStep::Replace(member_ids(value)),
        },
        other if other.starts_with("members[") => {
            let id = member_of(path).ok_or(ScimError::InvalidFilter)?;
            match op {
                "remove" => GroupStep::Remove(vec![id]),
                _ => GroupStep::Add(vec![id]),
            }
        }
        _ => return Ok(()),
    };
    steps.push(step);
    Ok(())
}

/// The id in `members[value eq "…"]`.
fn member_of(path: &str) -> Option<String> {
    let inner = path.get("members[".len()..)?.strip_suffix(']')?;
    let head = inner.get(.."value eq ".len())?;
    if !head.eq_ignore_ascii_case("value eq ") {
        return None;
    }
    serde_json::from_str(inner.get("value eq ".len()..)?).ok()
}

#[cfg(test)]
mod unit {
    use serde_json::json;

    use super::*;

    #[test]
    fn entra_and_okta_say_the_same_in_their_own_ways() {
        let entra = json!({ "Operations": [
            { "op": "Replace", "path": "active", "value": "False" },
            { "op": "Add", "path": "emails[type eq \"work\"].value", "value": "a@b.test" },
            { "op": "Replace", "path": "name.givenName", "value": "Ada" },
            { "op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
              "value": "x" },
        ] });
        let okta = json!({ "Operations": [{ "op": "replace", "value": {
            "active": false, "emails": [{ "value": "a@b.test", "primary": true }],
            "name": { "givenName": "Ada" }, "title": "x",
        } }] });
        assert_eq!(user(entra).unwrap(), user(okta).unwrap());
    }

    #[test]
    fn members_come_and_go_in_all_forms() {
        let body = json!({ "Operations": [
            { "op": "Add", "path": "members", "value": [{ "value": "a" }] },
            { "op": "Remove", "path": "members[value eq \"b\"]" },
            { "op": "Remove", "path": "members", "value": [{ "value": "c" }] },
            { "op": "replace", "value": { "id": "x", "displayName": "New" } },
            { "op": "Remove", "path": "members" },
        ] });
        assert_eq!(
            group(body).unwrap(),
            [
                GroupStep::Add(vec!["a".into()]),
                GroupStep::Remove(vec!["b".into()]),
                GroupStep::Remove(vec!["c".into()]),
                GroupStep::Rename("New".into()),
                GroupStep::Replace(Vec::new()),
            ]
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for body in [
            json!({}),
            json!({ "Operations": [{ "op": "drop" }] }),
            json!({ "Operations": [{ "op": "Replace", "path": "active", "value": "perhaps" }] }),
            json!({ "Operations": [{ "op": "Replace", "path": "userName", "value": 7 }] }),
        ] {
            assert!(user(body.clone()).is_err(), "{body}");
        }
        let body = json!({ "Operations": [{ "op": "Remove", "path": "members[value eq b]" }] });
        assert!(group(body).is_err());
    }
}
