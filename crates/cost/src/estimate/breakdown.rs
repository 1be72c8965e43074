//! Costs by module and by tag.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{Estimate, ResourceCost};

/// What a group of resources costs before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// USD a month of what exists.
    pub prior: Decimal,
    /// USD a month of what is wanted.
    pub proposed: Decimal,
    /// Resources of either side whose cost can't be told.
    pub unanswered: usize,
}

/// By module instance; the root module is the empty name. Each resource counts once, in its own module: the
/// groups add up to the totals.
#[must_use]
pub fn by_module(estimate: &Estimate) -> BTreeMap<String, Group> {
    group(estimate, |cost| cost.module.clone().unwrap_or_default())
}

/// By the value of a tag or label; resources without it are under the empty value.
#[must_use]
pub fn by_tag(estimate: &Estimate, tag: &str) -> BTreeMap<String, Group> {
    group(estimate, |cost| {
        cost.tags.get(tag).cloned().unwrap_or_default()
    })
}

fn group(estimate: &Estimate, name: impl Fn(&ResourceCost) -> String) -> BTreeMap<String, Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for change in &estimate.resources {
        if let Some(cost) = &change.before {
            groups.entry(name(cost)).or_default().prior += cost.monthly.unwrap_or_default();
        }
        if let Some(cost) = &change.after {
            groups.entry(name(cost)).or_default().proposed += cost.monthly.unwrap_or_default();
        }
        let unanswered = [&change.after, &change.before]
            .into_iter()
            .flatten()
            .find(|cost| !cost.status.answered());
        if let Some(cost) = unanswered {
            groups.entry(name(cost)).or_default().unanswered += 1;
        }
    }
    groups
}
