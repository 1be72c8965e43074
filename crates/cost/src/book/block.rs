//! The prices of one meter in one region, parsed.

use std::collections::HashMap;

use rust_decimal::Decimal;

use super::pack::Fields;
use super::row;
use super::{DERIVED_SOURCE, Price};

#[derive(Debug, Default)]
pub(super) struct Block {
    /// By normalised attributes.
    exact: HashMap<String, Vec<Entry>>,
    /// Rows of reference estimates, by component's name.
    components: HashMap<String, Vec<Derived>>,
}

#[derive(Debug, Clone)]
struct Entry {
    start: Decimal,
    price: Decimal,
    source: String,
    /// Lower is better: other sources before derived ones, then confidence, then the newer.
    rank: (bool, row::Confidence, std::cmp::Reverse<String>),
}

#[derive(Debug)]
struct Derived {
    path: String,
    unit: String,
    /// Attributes of the resource that the row holds for.
    conditions: Vec<(String, String)>,
    entry: Entry,
}

impl Block {
    pub(super) fn parse(text: &str, without: Option<&str>) -> Self {
        let mut block = Self::default();
        for fields in text.lines().filter_map(Fields::of) {
            if Some(fields.source) == without {
                continue;
            }
            let mut attributes = row::attributes(fields.attributes);
            let entry = Entry {
                start: fields.start,
                price: fields.price,
                source: fields.source.to_owned(),
                rank: (
                    fields.source == DERIVED_SOURCE,
                    fields.confidence,
                    std::cmp::Reverse(fields.date.to_owned()),
                ),
            };
            let Some(component) = take(&mut attributes, "component") else {
                let key = row::normalise(&attributes);
                block.exact.entry(key).or_default().push(entry);
                continue;
            };
            let path = take(&mut attributes, "sub").unwrap_or_default();
            let derived = Derived {
                path,
                unit: fields.unit.to_owned(),
                conditions: attributes,
                entry,
            };
            block.components.entry(component).or_default().push(derived);
        }
        block
    }

    pub(super) fn exactly(&self, attributes: &str) -> Result<Option<Price>, String> {
        match self.exact.get(attributes) {
            Some(entries) => tiers(entries)
                .map(Some)
                .ok_or_else(|| attributes.to_owned()),
            None => Ok(None),
        }
    }

    /// The row with the most conditions that all hold.
    pub(super) fn component(
        &self,
        component: &str,
        path: &str,
        unit: &str,
        matches: &dyn Fn(&str, &str) -> bool,
    ) -> Result<Option<Price>, String> {
        let mut holding: Vec<&Derived> = self
            .components
            .get(component)
            .into_iter()
            .flatten()
            .filter(|row| row.path == path)
            .filter(|row| {
                row.conditions
                    .iter()
                    .all(|(name, value)| matches(name, value))
            })
            .collect();
        if holding.iter().any(|row| row.unit == unit) {
            holding.retain(|row| row.unit == unit);
        }
        let Some(most) = holding.iter().map(|row| row.conditions.len()).max() else {
            return Ok(None);
        };
        let entries: Vec<Entry> = holding
            .iter()
            .filter(|row| row.conditions.len() == most)
            .map(|row| row.entry.clone())
            .collect();
        tiers(&entries)
            .map(Some)
            .ok_or_else(|| component.to_owned())
    }
}

fn take(attributes: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let at = attributes.iter().position(|(key, _)| key == name)?;
    Some(attributes.remove(at).1)
}

/// The best source's entries as tiers; `None` if two of them differ on the same tier.
fn tiers(entries: &[Entry]) -> Option<Price> {
    let best = entries.iter().map(|entry| &entry.rank).min()?;
    let mut chosen: Vec<(Decimal, Decimal)> = entries
        .iter()
        .filter(|entry| entry.rank == *best)
        .map(|entry| (entry.start, entry.price))
        .collect();
    chosen.sort();
    chosen.dedup();
    if chosen.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    let source = entries
        .iter()
        .find(|entry| entry.rank == *best)?
        .source
        .clone();
    Some(Price {
        tiers: chosen,
        source,
    })
}
