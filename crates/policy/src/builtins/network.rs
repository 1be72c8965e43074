//! Address ranges that the engine lacks. No network is touched: these are sums on numbers.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the engine's values that are no ranges are errors alike"
)]

use std::collections::BTreeSet;

use ipnet::IpNet;
use regorus::Value;

use super::Implementation;

pub(super) const BUILTINS: &[(&str, u8, Implementation)] = &[
    ("net.cidr_intersects", 2, intersects),
    ("net.cidr_overlap", 2, contains),
    ("net.cidr_contains_matches", 2, contains_matches),
    ("net.cidr_merge", 1, merge),
];

/// A range; a lone address is a range of one, as OPA has it.
fn range(value: &Value) -> anyhow::Result<IpNet> {
    let text = value.as_string()?;
    if let Ok(address) = text.parse::<std::net::IpAddr>() {
        return Ok(IpNet::from(address));
    }
    Ok(text.parse::<IpNet>()?)
}

fn holds(outer: &IpNet, inner: &IpNet) -> bool {
    outer.contains(&inner.network()) && outer.contains(&inner.broadcast())
}

fn intersects(arguments: &[Value]) -> anyhow::Result<Value> {
    let (one, other) = (range(&arguments[0])?, range(&arguments[1])?);
    Ok(Value::from(
        one.contains(&other.network()) || other.contains(&one.network()),
    ))
}

fn contains(arguments: &[Value]) -> anyhow::Result<Value> {
    let (outer, inner) = (range(&arguments[0])?, range(&arguments[1])?);
    Ok(Value::from(holds(&outer, &inner)))
}

/// Pairs (key of a range, key of a contained range).
fn contains_matches(arguments: &[Value]) -> anyhow::Result<Value> {
    let (outer, inner) = (keyed(&arguments[0])?, keyed(&arguments[1])?);
    let mut pairs = BTreeSet::new();
    for (outer_key, outer) in &outer {
        for (inner_key, inner) in &inner {
            if holds(outer, inner) {
                pairs.insert(Value::from(vec![outer_key.clone(), inner_key.clone()]));
            }
        }
    }
    Ok(Value::from(pairs))
}

/// Ranges by how the result names them: the text itself, an index, or a key. A range may also stand
/// first in an array that carries more.
fn keyed(value: &Value) -> anyhow::Result<Vec<(Value, IpNet)>> {
    let first = |item: &Value| match item {
        Value::Array(items) => range(items.iter().next().unwrap_or(&Value::Undefined)),
        other => range(other),
    };
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| Ok((Value::from(at), first(item)?)))
            .collect(),
        Value::Set(items) => items
            .iter()
            .map(|item| Ok((item.clone(), first(item)?)))
            .collect(),
        Value::Object(fields) => fields
            .iter_sorted()
            .map(|(key, item)| Ok((key.clone(), first(item)?)))
            .collect(),
        other => Ok(vec![(other.clone(), range(other)?)]),
    }
}

fn merge(arguments: &[Value]) -> anyhow::Result<Value> {
    let ranges: Vec<IpNet> = match &arguments[0] {
        Value::Array(items) => items.iter().map(range).collect::<anyhow::Result<_>>()?,
        Value::Set(items) => items.iter().map(range).collect::<anyhow::Result<_>>()?,
        _ => anyhow::bail!("net.cidr_merge wants an array or a set"),
    };
    let merged: BTreeSet<Value> = IpNet::aggregate(&ranges)
        .into_iter()
        .map(|range| Value::from(range.trunc().to_string()))
        .collect();
    Ok(Value::from(merged))
}
