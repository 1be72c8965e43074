//! Estimates on the wire: what the command line prints, and what policies see.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Serialize;

use super::{Change, Estimate, ResourceCost, Status, by_module};

/// An estimate as JSON. Money is decimal strings, USD; `null` where it can't be told.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Of what is wanted, by address.
    pub resources: Vec<ResourceReport>,
    /// What goes away.
    pub removed: Vec<ResourceReport>,
    /// USD a month of what exists.
    pub prior_monthly_cost: String,
    /// USD a month of what is wanted.
    pub proposed_monthly_cost: String,
    /// What the plan changes.
    pub delta_monthly_cost: String,
    /// The share of the proposed cost that depends on assumed usage.
    pub proposed_usage_monthly_cost: String,
    /// Proposed resources by status.
    pub counts: BTreeMap<&'static str, usize>,
    /// By module instance; the root module is the empty name.
    pub modules: BTreeMap<String, ModuleReport>,
    /// Always USD.
    pub currency: &'static str,
    /// Which price book.
    pub price_book: String,
}

/// Subtotal of a module.
#[derive(Debug, Serialize)]
pub struct ModuleReport {
    /// USD a month of what exists.
    pub prior_monthly_cost: String,
    /// USD a month of what is wanted.
    pub proposed_monthly_cost: String,
    /// Resources whose cost can't be told.
    pub unanswered: usize,
}

/// One resource.
#[derive(Debug, Serialize)]
pub struct ResourceReport {
    /// Its address.
    pub resource_address: String,
    /// Its type.
    pub resource_type: String,
    /// One of the names of [`Status`].
    pub status: &'static str,
    /// What happens to it.
    pub action: &'static str,
    /// Where it is.
    pub region: Option<String>,
    /// USD a month.
    pub monthly_cost: Option<String>,
    /// USD an hour.
    pub hourly_cost: Option<String>,
    /// The share that depends on assumed usage.
    pub usage_monthly_cost: String,
    /// USD a month before; `null` if it can't be told.
    pub prior_monthly_cost: Option<String>,
    /// After less before; `null` if one can't be told.
    pub delta_monthly_cost: Option<String>,
    /// What the cost consists of.
    pub components: Vec<ComponentReport>,
    /// What was assumed, and what is missing.
    pub notes: Vec<String>,
}

/// One line of a resource's cost.
#[derive(Debug, Serialize)]
pub struct ComponentReport {
    /// The part of the resource, outermost first.
    pub path: Vec<String>,
    /// What is paid for.
    pub name: String,
    /// What the quantity counts.
    pub unit: String,
    /// In a month.
    pub monthly_quantity: Option<String>,
    /// USD per unit.
    pub unit_price: Option<String>,
    /// USD a month.
    pub monthly_cost: Option<String>,
    /// Paid for what is used.
    pub usage_based: bool,
    /// The source of the price.
    pub source: String,
}

fn text(amount: Decimal) -> String {
    amount.normalize().to_string()
}

impl Report {
    /// The report of an estimate.
    #[must_use]
    pub fn of(estimate: &Estimate) -> Self {
        let kept = estimate
            .resources
            .iter()
            .filter(|change| change.after.is_some());
        let removed = estimate
            .resources
            .iter()
            .filter(|change| change.after.is_none());
        let counts = Status::ALL
            .into_iter()
            .map(|status| (status.as_str(), estimate.proposed.count(status)));
        let modules = by_module(estimate).into_iter().map(|(name, group)| {
            let report = ModuleReport {
                prior_monthly_cost: text(group.prior),
                proposed_monthly_cost: text(group.proposed),
                unanswered: group.unanswered,
            };
            (name, report)
        });
        Self {
            resources: kept.filter_map(ResourceReport::of).collect(),
            removed: removed.filter_map(ResourceReport::of).collect(),
            prior_monthly_cost: text(estimate.prior.monthly),
            proposed_monthly_cost: text(estimate.proposed.monthly),
            delta_monthly_cost: text(estimate.delta()),
            proposed_usage_monthly_cost: text(estimate.proposed.usage),
            counts: counts.collect(),
            modules: modules.collect(),
            currency: "USD",
            price_book: estimate.book.clone(),
        }
    }
}

impl ResourceReport {
    fn of(change: &Change) -> Option<Self> {
        let shown: &ResourceCost = change.after.as_ref().or(change.before.as_ref())?;
        let prior = match &change.before {
            Some(cost) => cost.known_monthly(),
            None => Some(Decimal::ZERO),
        };
        let components = shown.components.iter().map(|component| ComponentReport {
            path: component.path.clone(),
            name: component.name.clone(),
            unit: component.unit.clone(),
            monthly_quantity: component.quantity.map(text),
            unit_price: component.unit_price.map(text),
            monthly_cost: component.monthly.map(text),
            usage_based: component.by_usage,
            source: component.source.clone(),
        });
        let hourly: Decimal = shown.components.iter().filter_map(|part| part.hourly).sum();
        Some(Self {
            resource_address: shown.address.clone(),
            resource_type: shown.kind.clone(),
            status: shown.status.as_str(),
            action: change.action.as_str(),
            region: shown.region.clone(),
            monthly_cost: shown.known_monthly().map(text),
            hourly_cost: shown.known_monthly().map(|_| text(hourly)),
            usage_monthly_cost: text(shown.usage_monthly),
            prior_monthly_cost: prior.map(text),
            delta_monthly_cost: change.delta().map(text),
            components: components.collect(),
            notes: shown.notes.clone(),
        })
    }
}

/// The detail that policies see beside the totals, as numbers: per resource address, its status and its costs
/// before, after and their difference. Where a cost can't be told it is absent, and the status says why: a
/// comparison with an absent number is undefined in Rego, so policies must look at the status.
#[must_use]
pub fn policy_detail(estimate: &Estimate) -> serde_json::Value {
    let number = |amount: Option<Decimal>| {
        amount.and_then(|amount| serde_json::from_str(&text(amount)).ok())
    };
    let resources = estimate.resources.iter().filter_map(|change| {
        let shown = change.after.as_ref().or(change.before.as_ref())?;
        let mut entry = serde_json::Map::new();
        entry.insert("type".to_owned(), shown.kind.clone().into());
        entry.insert("status".to_owned(), shown.status.as_str().into());
        entry.insert("action".to_owned(), change.action.as_str().into());
        let before = change.before.as_ref().and_then(ResourceCost::known_monthly);
        let after = change.after.as_ref().and_then(ResourceCost::known_monthly);
        let amounts = [
            ("prior_monthly_cost", before),
            ("proposed_monthly_cost", after),
            ("delta_monthly_cost", change.delta()),
        ];
        for (name, amount) in amounts {
            if let Some(number) = number(amount) {
                entry.insert(name.to_owned(), number);
            }
        }
        Some((change.address.clone(), serde_json::Value::Object(entry)))
    });
    serde_json::Value::Object(resources.collect())
}
