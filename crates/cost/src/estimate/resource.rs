//! What one resource costs, or why that can't be told.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::Value as Json;

use super::Adjustments;
use crate::eval::{Outcome, Part};
use crate::plan::Entity;
use crate::rules::Rules;

/// Exactly one per resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It has a price.
    Estimated,
    /// It is paid by use alone, and no usage was given.
    UsageOnly,
    /// It costs nothing by itself.
    Free,
    /// There is no rule for its type.
    Unsupported,
    /// There is a rule, but the book lacks a price.
    PriceMissing,
    /// What its price depends on (region, size) is not known.
    Unknown,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Estimated,
        Self::UsageOnly,
        Self::Free,
        Self::Unsupported,
        Self::PriceMissing,
        Self::Unknown,
    ];

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Estimated => "estimated",
            Self::UsageOnly => "usage_only",
            Self::Free => "free",
            Self::Unsupported => "unsupported",
            Self::PriceMissing => "price_missing",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the cost is told, be it nothing.
    #[must_use]
    pub fn answered(self) -> bool {
        matches!(self, Self::Estimated | Self::UsageOnly | Self::Free)
    }
}

/// A resource's cost on one side of a plan.
#[derive(Debug, Clone)]
pub struct ResourceCost {
    /// Its address.
    pub address: String,
    /// Its type.
    pub kind: String,
    /// The module instance it is in.
    pub module: Option<String>,
    /// Its tags or labels.
    pub tags: BTreeMap<String, String>,
    /// Where it is, in its cloud's spelling.
    pub region: Option<String>,
    /// Whether, and if not why, it has a cost.
    pub status: Status,
    /// USD a month; `None` unless estimated.
    pub monthly: Option<Decimal>,
    /// The share that depends on assumed usage.
    pub usage_monthly: Decimal,
    /// What the cost consists of.
    pub components: Vec<Component>,
    /// What was assumed, and what is missing.
    pub notes: Vec<String>,
}

/// A line of a resource's cost.
#[derive(Debug, Clone)]
pub struct Component {
    /// The part of the resource it belongs to, outermost first.
    pub path: Vec<String>,
    /// What is paid for.
    pub name: String,
    /// What `quantity` counts.
    pub unit: String,
    /// Paid for what is used.
    pub by_usage: bool,
    /// In a month; `None` if no usage was given.
    pub quantity: Option<Decimal>,
    /// USD per unit.
    pub unit_price: Option<Decimal>,
    /// USD a month.
    pub monthly: Option<Decimal>,
    /// USD an hour.
    pub hourly: Option<Decimal>,
    /// The source of the price, as in `sources.csv`.
    pub source: String,
}

impl ResourceCost {
    pub(super) fn new(
        entity: &Entity,
        outcome: Option<Outcome>,
        rules: &Rules,
        adjustments: &Adjustments,
    ) -> Self {
        let mut cost = Self {
            address: entity.address.clone(),
            kind: entity.kind.clone(),
            module: entity.module.clone(),
            tags: tags(&entity.values),
            region: None,
            status: Status::Unsupported,
            monthly: None,
            usage_monthly: Decimal::ZERO,
            components: Vec::new(),
            notes: Vec::new(),
        };
        match outcome {
            Some(outcome) => cost.fill(outcome, adjustments),
            None if rules.is_free(&entity.kind) => cost.status = Status::Free,
            None => {}
        }
        if let Some(price) = adjustments.fixed(&cost.address, &cost.kind) {
            cost.set_fixed(price);
        }
        cost
    }

    fn fill(&mut self, outcome: Outcome, adjustments: &Adjustments) {
        self.region = outcome.region;
        self.notes = outcome.assumptions;
        let kind = self.kind.clone();
        let component = |part: Part| Component::new(part, adjustments.factor(&kind));
        self.components = outcome.parts.into_iter().map(component).collect();
        let counted = self
            .components
            .iter()
            .any(|component| component.quantity.is_some());
        self.status = if let Some(reason) = outcome.unknown {
            self.notes.push(reason);
            Status::Unknown
        } else if let Some(what) = outcome.missing {
            self.notes
                .push(format!("the price book has no price: {what}"));
            Status::PriceMissing
        } else if outcome.free || self.components.is_empty() {
            Status::Free
        } else if counted {
            Status::Estimated
        } else {
            Status::UsageOnly
        };
        if self.status == Status::Estimated {
            let sum = |by_usage: bool| -> Decimal {
                let wanted = self
                    .components
                    .iter()
                    .filter(|part| !by_usage || part.by_usage);
                wanted.filter_map(|part| part.monthly).sum()
            };
            (self.monthly, self.usage_monthly) = (Some(sum(false)), sum(true));
        }
        if let Some(discount) = adjustments.note(&kind) {
            self.notes.push(discount);
        }
    }

    fn set_fixed(&mut self, monthly: Decimal) {
        self.status = Status::Estimated;
        self.monthly = Some(monthly);
        self.usage_monthly = Decimal::ZERO;
        self.notes = vec!["the price is set by hand".to_owned()];
        self.components = vec![Component::new(
            Part {
                path: Vec::new(),
                name: "Price set by hand".to_owned(),
                unit: "months".to_owned(),
                by_usage: false,
                quantity: Some(Decimal::ONE),
                unit_price: Some(monthly),
                source: "custom".to_owned(),
            },
            Decimal::ONE,
        )];
    }

    /// USD a month if the cost is told: nothing for what is free or paid by use that was not given.
    #[must_use]
    pub fn known_monthly(&self) -> Option<Decimal> {
        self.status
            .answered()
            .then(|| self.monthly.unwrap_or_default())
    }

    /// USD an hour of what has a price; nothing where there is none.
    #[must_use]
    pub fn hourly(&self) -> Decimal {
        if self.status != Status::Estimated {
            return Decimal::ZERO;
        }
        self.components.iter().filter_map(|part| part.hourly).sum()
    }
}

impl Component {
    fn new(part: Part, factor: Decimal) -> Self {
        let (monthly, hourly) = (part.monthly(), part.hourly());
        let adjusted = |amount: Option<Decimal>| {
            amount.and_then(|amount| Some(crate::money::settle(amount.checked_mul(factor)?)))
        };
        Self {
            monthly: adjusted(monthly),
            hourly: adjusted(hourly),
            path: part.path,
            name: part.name,
            unit: part.unit,
            by_usage: part.by_usage,
            quantity: part.quantity.map(|quantity| quantity.normalize()),
            unit_price: part
                .unit_price
                .and_then(|price| price.checked_mul(factor))
                .map(|price| price.normalize()),
            source: part.source,
        }
    }
}

/// Tags of AWS and Azure, labels of Google.
fn tags(values: &Json) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for name in ["tags", "tags_all", "labels", "effective_labels"] {
        let Some(Json::Object(entries)) = values.get(name) else {
            continue;
        };
        for (key, value) in entries {
            if let Some(text) = value.as_str() {
                found.insert(key.clone(), text.to_owned());
            }
        }
    }
    found
}
