//! Sums by group: of a workspace's whole cost, or of the parts that its state has.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::figures::{Amounts, Known};
use super::model::Part;
use crate::costs::CostError;
use crate::costs::estimate::Counts;

/// Groups of an answer; the dearest come first, and the others are one.
pub(super) const MOST: usize = 1_000;
/// Groups that are told apart while they are summed up.
const MOST_AT_WORK: usize = 50_000;

/// What costs are summed up by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Grouping {
    Nothing,
    Workspace,
    Environment,
    Module,
    /// By the value of a tag of the resources.
    Tag(String),
    /// By the value of a tag of the workspaces.
    WorkspaceTag(String),
}

/// A sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Group {
    /// Of a workspace or an environment.
    pub id: Option<String>,
    pub name: String,
    /// Of a workspace: the name of its environment.
    pub environment: Option<String>,
    /// All that are not told apart.
    pub remainder: bool,
    pub amounts: Amounts,
    pub workspaces: i64,
    pub unpriced: i64,
    pub pending: i64,
    pub resources: i64,
    pub unmatched: i64,
}

impl Group {
    pub(super) fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// All that are not told apart.
    fn remainder() -> Self {
        Self {
            remainder: true,
            ..Self::default()
        }
    }

    fn merge(&mut self, other: &Self) {
        self.amounts.add(&other.amounts);
        self.workspaces += other.workspaces;
        self.unpriced += other.unpriced;
        self.pending += other.pending;
        self.resources += other.resources;
        self.unmatched += other.unmatched;
    }
}

/// A workspace's cost, on its way into a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole<'a> {
    pub known: Known,
    pub amounts: Amounts,
    pub counts: &'a Counts,
}

/// Groups by what tells them apart.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_key: BTreeMap<String, Group>,
    others: Option<Group>,
}

impl Groups {
    fn slot(&mut self, key: &str, make: impl FnOnce() -> Group) -> &mut Group {
        if self.by_key.len() >= MOST_AT_WORK && !self.by_key.contains_key(key) {
            return self.others();
        }
        self.by_key.entry(key.to_owned()).or_insert_with(make)
    }

    fn others(&mut self) -> &mut Group {
        self.others.get_or_insert_with(Group::remainder)
    }

    /// Counts a workspace into the group `key`.
    pub(super) fn add(&mut self, key: &str, make: impl FnOnce() -> Group, whole: Whole<'_>) {
        count(self.slot(key, make), whole);
    }

    /// Counts a workspace whose parts are not known into the remainder.
    pub(super) fn add_to_others(&mut self, whole: Whole<'_>) {
        count(self.others(), whole);
    }

    /// Counts a part of a workspace's state into the group of its name.
    pub(super) fn add_part(&mut self, part: &Part, known: Known) -> Result<(), CostError> {
        let (monthly, hourly) = (part.monthly.as_str(), part.hourly.as_str());
        let amounts = Amounts::read(Some(monthly), Some(hourly), Some(&part.usage_monthly))?;
        let group = if part.remainder {
            self.others()
        } else {
            self.slot(&part.name, || Group::named(part.name.clone()))
        };
        group.amounts.add(&amounts);
        group.workspaces += 1;
        group.pending += i64::from(known == Known::Pending);
        group.resources += part.resources;
        group.unmatched += part.unmatched;
        Ok(())
    }

    /// The dearest by name, all others as one.
    pub(super) fn into_sorted(self) -> Vec<Group> {
        let mut others = self.others;
        let mut groups: Vec<Group> = self.by_key.into_values().collect();
        groups.sort_by(|one, other| {
            Reverse(one.amounts.monthly)
                .cmp(&Reverse(other.amounts.monthly))
                .then_with(|| one.name.cmp(&other.name))
        });
        for group in groups.split_off(MOST.min(groups.len())) {
            others.get_or_insert_with(Group::remainder).merge(&group);
        }
        groups.extend(others);
        groups
    }
}

fn count(group: &mut Group, whole: Whole<'_>) {
    group.amounts.add(&whole.amounts);
    group.workspaces += 1;
    group.unpriced += i64::from(whole.known == Known::Unpriced);
    group.pending += i64::from(whole.known == Known::Pending);
    group.resources += whole.counts.matched() + whole.counts.unmatched();
    group.unmatched += whole.counts.unmatched();
}

#[cfg(test)]
mod unit {
    use rust_decimal::Decimal;

    use super::*;

    #[test]
    fn what_is_beyond_the_bound_is_one_group() {
        let mut groups = Groups::default();
        let counts = Counts {
            estimated: 1,
            ..Counts::default()
        };
        for at in 0..MOST + 2 {
            let amounts = Amounts {
                monthly: Decimal::from(at),
                ..Amounts::default()
            };
            let whole = Whole {
                known: Known::Priced,
                amounts,
                counts: &counts,
            };
            let name = format!("w{at}");
            groups.add(&name, || Group::named(name.clone()), whole);
        }
        let sorted = groups.into_sorted();
        assert_eq!(sorted.len(), MOST + 1);
        assert_eq!(sorted[0].name, format!("w{}", MOST + 1));
        let last = sorted.last().unwrap();
        assert!(last.remainder && last.workspaces == 2 && last.resources == 2);
        assert_eq!(last.amounts.monthly, Decimal::ONE);
    }
}
