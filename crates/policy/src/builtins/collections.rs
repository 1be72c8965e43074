//! Small builtins that the engine lacks: those of Rego v0, and some that are newer than the engine.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the engine's values of other kinds are errors alike"
)]

use std::collections::BTreeSet;

use regorus::Value;

use super::Implementation;

pub(super) const BUILTINS: &[(&str, u8, Implementation)] = &[
    ("any", 1, |of| {
        Ok(Value::from(items(&of[0])?.iter().any(is_true)))
    }),
    ("all", 1, |of| {
        Ok(Value::from(items(&of[0])?.iter().all(is_true)))
    }),
    ("set_diff", 2, set_diff),
    ("cast_array", 1, cast_array),
    ("cast_set", 1, cast_set),
    ("cast_string", 1, |of| {
        kept(of, matches!(of[0], Value::String(_)))
    }),
    ("cast_boolean", 1, |of| {
        kept(of, matches!(of[0], Value::Bool(_)))
    }),
    ("cast_null", 1, |of| kept(of, matches!(of[0], Value::Null))),
    ("cast_object", 1, |of| {
        kept(of, matches!(of[0], Value::Object(_)))
    }),
    ("array.flatten", 1, flatten),
    ("strings.split_n", 3, split_n),
    // The engine's own gives back the text where nobody traces.
    ("trace", 1, |of| {
        of[0].as_string().map(|_| Value::from(true))
    }),
    ("re_match", 2, re_match),
    ("regex.find_all_string_submatch_n", 3, submatches),
];

fn is_true(value: &Value) -> bool {
    matches!(value, Value::Bool(true))
}

fn items(value: &Value) -> anyhow::Result<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items.iter().cloned().collect()),
        Value::Set(items) => Ok(items.iter().cloned().collect()),
        _ => anyhow::bail!("an array or a set is wanted"),
    }
}

fn kept(arguments: &[Value], fits: bool) -> anyhow::Result<Value> {
    anyhow::ensure!(fits, "the value is of another type");
    Ok(arguments[0].clone())
}

fn set_diff(arguments: &[Value]) -> anyhow::Result<Value> {
    let (one, other) = (arguments[0].as_set()?, arguments[1].as_set()?);
    let without: BTreeSet<Value> = other.iter().cloned().collect();
    let rest: BTreeSet<Value> = one
        .iter()
        .filter(|item| !without.contains(item))
        .cloned()
        .collect();
    Ok(Value::from(rest))
}

fn cast_array(arguments: &[Value]) -> anyhow::Result<Value> {
    Ok(Value::from(items(&arguments[0])?))
}

fn cast_set(arguments: &[Value]) -> anyhow::Result<Value> {
    let set: BTreeSet<Value> = items(&arguments[0])?.into_iter().collect();
    Ok(Value::from(set))
}

/// One level of nesting less.
fn flatten(arguments: &[Value]) -> anyhow::Result<Value> {
    let mut flat = Vec::new();
    for item in arguments[0].as_array()?.iter() {
        match item {
            Value::Array(inner) => flat.extend(inner.iter().cloned()),
            other => flat.push(other.clone()),
        }
    }
    Ok(Value::from(flat))
}

fn split_n(arguments: &[Value]) -> anyhow::Result<Value> {
    let (text, by, most) = (
        arguments[0].as_string()?,
        arguments[1].as_string()?,
        arguments[2].as_i64()?,
    );
    // The rest behind the last part is left out, unlike in Go's function of that name.
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let parts: Vec<Value> = text
        .split(by.as_ref())
        .take(most)
        .map(Value::from)
        .collect();
    Ok(Value::from(parts))
}

/// A pattern that can't eat the machine: the engine's own bound.
fn pattern(value: &Value) -> anyhow::Result<regex::Regex> {
    Ok(regex::RegexBuilder::new(value.as_string()?)
        .size_limit(1024 * 1024)
        .build()?)
}

fn re_match(arguments: &[Value]) -> anyhow::Result<Value> {
    let text = arguments[1].as_string()?;
    Ok(Value::from(pattern(&arguments[0])?.is_match(text)))
}

fn submatches(arguments: &[Value]) -> anyhow::Result<Value> {
    let pattern = pattern(&arguments[0])?;
    let text = arguments[1].as_string()?;
    let most = usize::try_from(arguments[2].as_i64()?).unwrap_or(usize::MAX);
    let found: Vec<Value> = pattern
        .captures_iter(text)
        .take(most)
        .map(|captures| {
            let groups: Vec<Value> = captures
                .iter()
                .map(|group| Value::from(group.map_or("", |group| group.as_str())))
                .collect();
            Value::from(groups)
        })
        .collect();
    Ok(Value::from(found))
}
