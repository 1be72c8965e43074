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

/// What a group of wanted resources costs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subtotal {
    /// USD a month.
    pub monthly: Decimal,
    /// USD an hour.
    pub hourly: Decimal,
    /// The share of the monthly cost that depends on assumed usage.
    pub usage: Decimal,
    /// Resources in the group.
    pub resources: usize,
    /// Those of them whose cost can't be told.
    pub unanswered: usize,
}

impl Subtotal {
    /// Counts a resource in.
    pub fn add(&mut self, cost: &ResourceCost) {
        self.monthly += cost.monthly.unwrap_or_default();
        self.hourly += cost.hourly();
        self.usage += cost.usage_monthly;
        self.resources += 1;
        self.unanswered += usize::from(!cost.status.answered());
    }

    /// Counts another group in.
    pub fn merge(&mut self, other: &Self) {
        self.monthly += other.monthly;
        self.hourly += other.hourly;
        self.usage += other.usage;
        self.resources += other.resources;
        self.unanswered += other.unanswered;
    }

    /// What is left of this group without another one that is part of it.
    #[must_use]
    pub fn without(&self, part: &Self) -> Self {
        Self {
            monthly: self.monthly - part.monthly,
            hourly: self.hourly - part.hourly,
            usage: self.usage - part.usage,
            resources: self.resources.saturating_sub(part.resources),
            unanswered: self.unanswered.saturating_sub(part.unanswered),
        }
    }
}

/// Everything that is wanted.
#[must_use]
pub fn wanted(estimate: &Estimate) -> Subtotal {
    let mut total = Subtotal::default();
    for cost in wanted_resources(estimate) {
        total.add(cost);
    }
    total
}

/// What is wanted, by module instance; the root module is the empty name. The groups add up to [`wanted`].
#[must_use]
pub fn wanted_by_module(estimate: &Estimate) -> BTreeMap<String, Subtotal> {
    let mut groups: BTreeMap<String, Subtotal> = BTreeMap::new();
    for cost in wanted_resources(estimate) {
        let module = cost.module.clone().unwrap_or_default();
        groups.entry(module).or_default().add(cost);
    }
    groups
}

/// What is wanted, by key and value of each tag or label. Resources without a key are in none of its groups.
#[must_use]
pub fn wanted_by_tags(estimate: &Estimate) -> BTreeMap<String, BTreeMap<String, Subtotal>> {
    let mut keys: BTreeMap<String, BTreeMap<String, Subtotal>> = BTreeMap::new();
    for cost in wanted_resources(estimate) {
        for (key, value) in &cost.tags {
            let values = keys.entry(key.clone()).or_default();
            values.entry(value.clone()).or_default().add(cost);
        }
    }
    keys
}

fn wanted_resources(estimate: &Estimate) -> impl Iterator<Item = &ResourceCost> {
    estimate
        .resources
        .iter()
        .filter_map(|change| change.after.as_ref())
}
