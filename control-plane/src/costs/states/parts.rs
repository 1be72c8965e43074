//! The subtotals of a state that are kept: the dearest by name, all others as one.

use std::collections::BTreeMap;

use ::cost::{Estimate, Subtotal, wanted, wanted_by_module, wanted_by_tags};
use domain::cost::CostPartKind;

/// Modules of a state that are told apart.
pub(super) const MODULES: usize = 200;
/// Keys of tags that have subtotals.
pub(super) const TAGS: usize = 50;
/// Values of a tag that are told apart.
pub(super) const VALUES: usize = 50;
/// Longest names, in bytes: an index of the database must hold them.
const LONGEST_KEY: usize = 256;
const LONGEST_NAME: usize = 1024;

/// A subtotal, not stored yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewPart {
    pub kind: CostPartKind,
    pub key: String,
    pub name: String,
    pub remainder: bool,
    pub figures: Subtotal,
}

/// All parts of a state.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub all: Vec<NewPart>,
    /// Keys of tags that have none.
    pub omitted_tags: usize,
}

/// The subtotals of an estimate. Those of modules add up to its total, and so do those of each tag.
pub(super) fn parts(estimate: &Estimate) -> Parts {
    let mut parts = Parts::default();
    let modules = labelled(wanted_by_module(estimate), LONGEST_NAME);
    parts.add(CostPartKind::Module, "", modules, MODULES);
    let total = wanted(estimate);
    let mut keys: BTreeMap<String, BTreeMap<String, Subtotal>> = BTreeMap::new();
    for (key, values) in wanted_by_tags(estimate) {
        let key = label(&key, LONGEST_KEY);
        // Two long keys that begin alike can't be told apart: the sums would be too high.
        keys.entry(key)
            .or_insert_with(|| labelled(values, LONGEST_NAME));
    }
    let mut keys: Vec<_> = keys
        .into_iter()
        .map(|it| with_untagged(it, &total))
        .collect();
    keys.sort_by(|(_, one, tagged), (_, other, also)| {
        also.monthly
            .cmp(&tagged.monthly)
            .then_with(|| other.len().cmp(&one.len()))
    });
    parts.omitted_tags = keys.len().saturating_sub(TAGS);
    for (key, values, _) in keys.into_iter().take(TAGS) {
        parts.add(CostPartKind::Tag, &key, values, VALUES);
    }
    parts
}

type Values = BTreeMap<String, Subtotal>;

/// The values of a tag with the empty one for what doesn't have it, and the sum of what does.
fn with_untagged(
    (key, mut values): (String, Values),
    total: &Subtotal,
) -> (String, Values, Subtotal) {
    values.remove("");
    let mut tagged = Subtotal::default();
    for figures in values.values() {
        tagged.merge(figures);
    }
    let untagged = total.without(&tagged);
    if untagged.resources > 0 {
        values.insert(String::new(), untagged);
    }
    (key, values, tagged)
}

impl Parts {
    fn add(&mut self, kind: CostPartKind, key: &str, groups: Values, most: usize) {
        let mut groups: Vec<(String, Subtotal)> = groups.into_iter().collect();
        // Stable: those that cost the same stay in the order of their names.
        groups.sort_by_key(|(_, figures)| std::cmp::Reverse(figures.monthly));
        let others = groups.split_off(most.min(groups.len()));
        let part = |name: String, remainder: bool, figures: Subtotal| NewPart {
            kind,
            key: key.to_owned(),
            name,
            remainder,
            figures,
        };
        self.all
            .extend(groups.into_iter().map(|(name, it)| part(name, false, it)));
        if !others.is_empty() {
            let mut sum = Subtotal::default();
            for (_, figures) in &others {
                sum.merge(figures);
            }
            self.all.push(part(String::new(), true, sum));
        }
    }
}

fn labelled(groups: Values, longest: usize) -> Values {
    let mut named = Values::new();
    for (name, figures) in groups {
        named
            .entry(label(&name, longest))
            .or_default()
            .merge(&figures);
    }
    named
}

/// A name as a database can keep it.
fn label(text: &str, longest: usize) -> String {
    let text = text.replace('\0', "\u{fffd}");
    if text.len() <= longest {
        return text;
    }
    let mut end = longest - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod unit {
    use ::cost::{Estimator, Plan, Usage};
    use rust_decimal::Decimal;
    use serde_json::json;

    use super::*;

    /// A state with a volume in each of `modules` modules, each with tags of its own.
    fn estimate(modules: usize) -> Estimate {
        let resources: Vec<_> = (0..modules)
            .map(|at| {
                json!({ "module": format!("module.m{at}"), "mode": "managed",
                    "type": "aws_ebs_volume", "name": "v", "instances": [{ "attributes": {
                        "availability_zone": "us-east-1a", "size": at + 1, "type": "gp2",
                        "tags": { "number": at.to_string(), format!("own-{at}"): "\u{0}" },
                    } }] })
            })
            .collect();
        let state = json!({ "version": 4, "resources": resources }).to_string();
        let plan = Plan::from_state_file(state.as_bytes()).unwrap();
        Estimator::embedded()
            .unwrap()
            .estimate(&plan, &Usage::default())
    }

    fn sum<'a>(parts: impl Iterator<Item = &'a NewPart>) -> (Decimal, usize) {
        parts.fold((Decimal::ZERO, 0), |(monthly, resources), part| {
            (
                monthly + part.figures.monthly,
                resources + part.figures.resources,
            )
        })
    }

    #[test]
    fn however_many_there_are_they_add_up() {
        for count in [0, 3, 300] {
            let estimate = estimate(count);
            let parts = parts(&estimate);
            let all = (estimate.proposed.monthly, count);
            let of = |kind: CostPartKind, key: &'static str| {
                parts
                    .all
                    .iter()
                    .filter(move |part| part.kind == kind && part.key == key)
            };
            assert_eq!(sum(of(CostPartKind::Module, "")), all);
            assert!(of(CostPartKind::Module, "").count() <= MODULES + 1);
            assert_eq!(sum(of(CostPartKind::Tag, "number")), all);
            assert_eq!(
                of(CostPartKind::Tag, "number")
                    .filter(|part| part.remainder)
                    .count(),
                usize::from(count > VALUES)
            );
            let keys = if count == 0 { 0 } else { count + 1 };
            assert_eq!(parts.omitted_tags, keys.saturating_sub(TAGS));
        }
    }

    #[test]
    fn names_are_such_that_a_database_keeps_them() {
        assert_eq!(label("a\0b", 10), "a\u{fffd}b");
        assert_eq!(label("äääääää", 10), "äää…");
        assert_eq!(label(&"x".repeat(10), 10).len(), 10);
    }
}
