//! From the value of a `deny` rule to messages, and to the resources that they name.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the engine's values are told apart by the few kinds that say something"
)]

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};
use regorus::Value;

use crate::verdict::Denial;

/// Most denials that are kept of one policy.
pub const MAX_DENIALS: usize = 1000;
/// Longest message, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4096;
/// Most resources that are kept of one denial.
const MAX_RESOURCES: usize = 100;

/// Keys under which an object says its message.
const MESSAGE_KEYS: &[&str] = &["msg", "message"];
/// Keys under which an object names resources.
const RESOURCE_KEYS: &[&str] = &[
    "address",
    "resource",
    "resource_address",
    "addresses",
    "resources",
];

/// The denials and how many more there are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Denials {
    pub(crate) kept: Vec<Denial>,
    pub(crate) omitted: u64,
}

/// Reads the value of the rule. `None` when its type says nothing about denials.
///
/// Undefined and empty are "no objection". A string denies; so does a bare `true`, as a policy that
/// says it can't mean to let the run pass.
pub(crate) fn read(value: &Value, addresses: impl FnOnce() -> BTreeSet<String>) -> Option<Denials> {
    let mut denials: BTreeSet<(String, Vec<String>)> = BTreeSet::new();
    match value {
        Value::Undefined | Value::Bool(false) => {}
        Value::Bool(true) => {
            denials.insert(("denied without a message".to_owned(), Vec::new()));
        }
        Value::String(text) => {
            denials.insert((text.to_string(), Vec::new()));
        }
        Value::Array(items) => denials.extend(items.iter().map(one)),
        Value::Set(items) => denials.extend(items.iter().map(one)),
        Value::Object(_) | Value::Null | Value::Number(_) => return None,
    }
    if denials.is_empty() {
        return Some(Denials::default());
    }
    let finder = Finder::new(addresses());
    let total = denials.len();
    let kept: Vec<Denial> = denials
        .into_iter()
        .take(MAX_DENIALS)
        .map(|(message, named)| Denial {
            resources: finder.resources(&message, named),
            message: cut(message),
        })
        .collect();
    Some(Denials {
        omitted: (total - kept.len()) as u64,
        kept,
    })
}

/// A denial's message, and the resources it names by key.
fn one(item: &Value) -> (String, Vec<String>) {
    let Value::Object(_) = item else {
        return (text(item), Vec::new());
    };
    let message = MESSAGE_KEYS
        .iter()
        .find_map(|key| match &item[*key] {
            Value::String(message) => Some(message.to_string()),
            _ => None,
        })
        .unwrap_or_else(|| text(item));
    let mut named = Vec::new();
    for key in RESOURCE_KEYS {
        match &item[*key] {
            Value::String(address) => named.push(address.to_string()),
            Value::Array(list) => named.extend(list.iter().filter_map(string)),
            Value::Set(list) => named.extend(list.iter().filter_map(string)),
            _ => {}
        }
    }
    (message, named)
}

fn string(value: &Value) -> Option<String> {
    value.as_string().ok().map(|text| text.to_string())
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        other => other.to_string(),
    }
}

fn cut(mut message: String) -> String {
    if message.len() > MAX_MESSAGE_BYTES {
        let end = (0..=MAX_MESSAGE_BYTES)
            .rev()
            .find(|&at| message.is_char_boundary(at));
        message.truncate(end.unwrap_or(0));
        message.push('…');
    }
    message
}

/// Finds addresses of the plan inside of messages.
struct Finder {
    addresses: Vec<String>,
    search: Option<AhoCorasick>,
}

impl Finder {
    fn new(addresses: BTreeSet<String>) -> Self {
        let addresses: Vec<String> = addresses.into_iter().collect();
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&addresses)
            .ok();
        Self { addresses, search }
    }

    fn resources(&self, message: &str, named: Vec<String>) -> Vec<String> {
        let known = |address: &String| self.addresses.binary_search(address).is_ok();
        let mut found: BTreeSet<String> = named.into_iter().filter(known).collect();
        if let Some(search) = &self.search {
            for hit in search.find_iter(message) {
                if stands_alone(message, hit.start(), hit.end()) {
                    found.insert(self.addresses[hit.pattern().as_usize()].clone());
                }
            }
        }
        found.into_iter().take(MAX_RESOURCES).collect()
    }
}

/// Whether an address at this place is not merely a part of a longer one. An attribute behind it
/// (`aws_instance.a.ami`) and the full stop of a sentence are fine.
fn stands_alone(message: &str, start: usize, end: usize) -> bool {
    let part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    let before = message[..start].chars().next_back();
    let after = message[end..].chars().next();
    !before.is_some_and(|letter| part(letter) || letter == '.')
        && !after.is_some_and(|letter| part(letter) || letter == '[')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(json: &str, addresses: &[&str]) -> Vec<Denial> {
        let addresses = addresses.iter().map(|&it| it.to_owned()).collect();
        let value = Value::from_json_str(json).unwrap();
        read(&value, || addresses).unwrap().kept
    }

    #[test]
    fn resources_are_found_in_messages() {
        let denials = read_with(
            r#"["module.m.aws_s3_bucket.b[0].acl is public, and aws_instance.web-1.", "nothing of ours: aws_instance.webber"]"#,
            &[
                "aws_instance.web",
                "aws_instance.web-1",
                "module.m.aws_s3_bucket.b[0]",
                "aws_s3_bucket.b",
            ],
        );
        assert_eq!(
            denials[0].resources,
            ["aws_instance.web-1", "module.m.aws_s3_bucket.b[0]"]
        );
        assert!(denials[1].resources.is_empty());
    }

    #[test]
    fn objects_say_their_message_and_name_their_resource() {
        let denials = read_with(
            r#"[{"msg": "no", "address": "a.b"}, {"severity": "high"}]"#,
            &["a.b"],
        );
        assert_eq!(denials[0].message, "no");
        assert_eq!(denials[0].resources, ["a.b"]);
        assert_eq!(denials[1].message, r#"{"severity":"high"}"#);
    }

    #[test]
    fn other_types_are_no_answer() {
        assert_eq!(read(&Value::Null, BTreeSet::new), None);
        assert_eq!(read(&Value::new_object(), BTreeSet::new), None);
        assert_eq!(
            read(&Value::Undefined, BTreeSet::new),
            Some(Denials::default())
        );
    }

    #[test]
    fn floods_are_cut() {
        let many: Vec<Value> = (0..MAX_DENIALS + 5)
            .map(|at| Value::from(at.to_string()))
            .collect();
        let denials = read(&Value::from(many), BTreeSet::new).unwrap();
        assert_eq!((denials.kept.len(), denials.omitted), (MAX_DENIALS, 5));
        let long = read(&Value::from("é".repeat(MAX_MESSAGE_BYTES)), BTreeSet::new).unwrap();
        assert!(long.kept[0].message.len() <= MAX_MESSAGE_BYTES + 3);
    }
}
