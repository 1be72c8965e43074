//! Components: a quantity times a price, in tiers.

use rust_decimal::Decimal;

use super::price::unit_scale;
use super::statement::Run;
use super::value::Value;
use super::{MONTH, Part};
use crate::book::{NoPrice, Price};
use crate::rules::{Component, Tier};

/// A part of a quantity that is priced by itself.
struct Slice {
    name: String,
    /// In the smallest unit.
    quantity: Option<Decimal>,
    tier: usize,
}

impl<'a> Run<'a> {
    pub(super) fn component(&mut self, component: &'a Component) {
        if let Some(condition) = &component.condition
            && !self.evaluate(condition).holds()
        {
            return;
        }
        let name = self.evaluate(&component.name).text();
        let scale = unit_scale(&component.unit);
        let quantity = self.evaluate(&component.quantity).number();
        if quantity.is_none() && !component.by_usage {
            let reason = format!("{name}: how much is not told by the plan");
            self.outcome.unknown.get_or_insert(reason);
            return;
        }
        let monthly = |price: &Price| price.tiers.len() > 1 && component.tiers.is_empty();
        let mut slices = slices(&name, quantity, &component.tiers);
        // A meter with tiers of its own, and a rule that names none.
        if component.tiers.is_empty() {
            self.component = (name.clone(), &component.unit, scale);
            if let Value::Price(price) = self.price_of(component)
                && monthly(&price)
            {
                slices = own_tiers(&name, quantity, &price);
            }
        }
        for slice in slices {
            self.slice(component, slice, scale);
        }
    }

    fn slice(&mut self, component: &'a Component, slice: Slice, scale: Decimal) {
        self.component = (slice.name.clone(), &component.unit, scale);
        let found = self.price_of(component);
        let mut part = Part {
            path: self.path.clone(),
            name: slice.name,
            unit: component.unit.clone(),
            by_usage: component.by_usage || slice.quantity.is_none(),
            quantity: slice
                .quantity
                .and_then(|quantity| quantity.checked_div(scale)),
            unit_price: None,
            source: String::new(),
        };
        match found {
            Value::Price(price) => {
                let last = price.tiers.len().saturating_sub(1);
                let tier = price.tiers.get(slice.tier.min(last));
                part.unit_price = tier.and_then(|(_, amount)| amount.checked_mul(scale));
                part.source.clone_from(&price.source);
            }
            Value::Number(fixed) => part.unit_price = fixed.checked_mul(scale),
            Value::NoPrice(reason) => {
                if part.quantity.is_some_and(|quantity| !quantity.is_zero()) {
                    self.no_price(&reason, &part.name);
                }
            }
            _ => {
                if part.quantity.is_some_and(|quantity| !quantity.is_zero()) {
                    let what = format!("{} {}", self.entity.kind, part.name);
                    self.outcome.missing.get_or_insert(what);
                }
            }
        }
        self.outcome.parts.push(part);
    }

    fn price_of(&mut self, component: &'a Component) -> Value<'a> {
        let given = component.price.as_ref().map(|price| self.evaluate(price));
        match given {
            Some(value @ (Value::Price(_) | Value::Number(_))) => value,
            other => {
                let derived = self.derived(None, &[]);
                match (other, derived) {
                    (Some(Value::NoPrice(reason)), Value::NoPrice(_)) => Value::NoPrice(reason),
                    (_, derived) => derived,
                }
            }
        }
    }

    fn no_price(&mut self, reason: &NoPrice, name: &str) {
        match reason {
            NoPrice::RegionUnknown => {
                let reason = "its region is not told by the plan".to_owned();
                self.outcome.unknown.get_or_insert(reason);
            }
            NoPrice::Missing(what) => {
                self.outcome
                    .missing
                    .get_or_insert_with(|| format!("{name}: {what}"));
            }
            NoPrice::Ambiguous(what) => {
                let what = format!("{name}: the book has several prices of {what}");
                self.outcome.missing.get_or_insert(what);
            }
        }
    }
}

/// Cuts a quantity by a rule's tiers. Without a quantity only the first is shown.
fn slices(name: &str, quantity: Option<Decimal>, tiers: &[Tier]) -> Vec<Slice> {
    let whole = |name: String, quantity| {
        vec![Slice {
            name,
            quantity,
            tier: 0,
        }]
    };
    let Some(first) = tiers.first() else {
        return whole(name.to_owned(), quantity);
    };
    let labelled = |label: &str| match label {
        "" => name.to_owned(),
        _ => format!("{name} ({label})"),
    };
    let Some(mut left) = quantity else {
        let shown = tiers
            .iter()
            .find(|tier| !tier.label.starts_with("free "))
            .unwrap_or(first);
        return whole(labelled(&shown.label), None);
    };
    let mut found = Vec::new();
    for (index, tier) in tiers.iter().enumerate() {
        let taken = tier.size.map_or(left, |size| size.min(left));
        left -= taken;
        if taken > Decimal::ZERO && !tier.label.starts_with("free ") {
            found.push(Slice {
                name: labelled(&tier.label),
                quantity: Some(taken),
                tier: index,
            });
        }
    }
    found
}

/// Cuts a quantity by the tiers of its price.
fn own_tiers(name: &str, quantity: Option<Decimal>, price: &Price) -> Vec<Slice> {
    let mut found = Vec::new();
    for (index, (start, _)) in price.tiers.iter().enumerate() {
        let next = price.tiers.get(index + 1).map(|(next, _)| *next);
        let label = match next {
            Some(next) => format!("{name} ({} to {})", start.normalize(), next.normalize()),
            None => format!("{name} (over {})", start.normalize()),
        };
        let taken = match quantity {
            Some(quantity) => {
                let taken = next.map_or(quantity, |next| quantity.min(next)) - *start;
                if taken <= Decimal::ZERO {
                    break;
                }
                Some(taken)
            }
            None if index > 0 => break,
            None => None,
        };
        found.push(Slice {
            name: label,
            quantity: taken,
            tier: index,
        });
    }
    if found.is_empty() {
        found.push(Slice {
            name: name.to_owned(),
            quantity,
            tier: 0,
        });
    }
    found
}

/// What a component costs in a month, and in an hour.
impl Part {
    /// Settled; `None` if no usage was given or there is no price.
    pub(crate) fn monthly(&self) -> Option<Decimal> {
        let cost = self.quantity?.checked_mul(self.unit_price?)?;
        Some(crate::money::settle(cost))
    }

    pub(crate) fn hourly(&self) -> Option<Decimal> {
        Some(crate::money::settle(self.monthly()? / Decimal::from(MONTH)))
    }
}
