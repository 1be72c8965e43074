//! The cost of a plan: per resource, and in total.

mod adjust;
mod breakdown;
mod json;
mod resource;

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;

pub use adjust::{AdjustError, Adjustments};
pub use breakdown::{Group, Subtotal, by_module, by_tag, wanted, wanted_by_module, wanted_by_tags};
pub use json::{ComponentReport, ModuleReport, Report, ResourceReport, policy_detail};
pub use resource::{Component, ResourceCost, Status};

use crate::book::Book;
use crate::eval::Side;
use crate::plan::{Action, Plan, World};
use crate::rules::Rules;
use crate::usage::Usage;

/// What an estimate is made with. Clones share the book and the rules, so that one copy of each serves
/// estimates with different adjustments at the same time.
#[derive(Debug, Clone)]
pub struct Estimator {
    /// What things cost.
    pub book: Arc<Book>,
    /// What resources consist of.
    pub rules: Arc<Rules>,
    /// Custom prices and discounts.
    pub adjustments: Adjustments,
    /// The region of resources whose region nothing tells; without one they are unknown.
    pub default_region: Option<String>,
}

/// What a plan costs.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// Per resource of either side, by address.
    pub resources: Vec<Change>,
    /// Of what exists.
    pub prior: Total,
    /// Of what is wanted.
    pub proposed: Total,
    /// Which book both sides were priced with.
    pub book: String,
}

/// A resource before and after.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its address.
    pub address: String,
    /// What happens to it.
    pub action: Action,
    /// What it costs now; `None` if there is none yet.
    pub before: Option<ResourceCost>,
    /// What it will cost; `None` if there will be none.
    pub after: Option<ResourceCost>,
}

/// Sums over one side of a plan. What has no price is counted, never taken for zero in silence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Total {
    /// USD a month of all that is priced.
    pub monthly: Decimal,
    /// The share of it that depends on assumed usage.
    pub usage: Decimal,
    /// Resources by status.
    pub counts: BTreeMap<Status, usize>,
}

impl Estimator {
    /// With the book and rules of the binary.
    ///
    /// # Errors
    /// Only if they were damaged at build time.
    pub fn embedded() -> Result<Self, EstimatorError> {
        Ok(Self {
            book: Arc::new(Book::embedded()?),
            rules: Arc::new(Rules::embedded()?),
            adjustments: Adjustments::default(),
            default_region: None,
        })
    }

    /// Prices both sides of a plan with the same book.
    #[must_use]
    pub fn estimate(&self, plan: &Plan, usage: &Usage) -> Estimate {
        let before = self.side(plan, &plan.prior, usage);
        let after = self.side(plan, &plan.proposed, usage);
        let mut changes: BTreeMap<String, Change> = BTreeMap::new();
        let mut entry =
            |address: &str, before: Option<ResourceCost>, after: Option<ResourceCost>| {
                let change = changes.entry(address.to_owned()).or_insert_with(|| Change {
                    address: address.to_owned(),
                    action: plan
                        .actions
                        .get(address)
                        .copied()
                        .unwrap_or(Action::Unchanged),
                    before: None,
                    after: None,
                });
                change.before = change.before.take().or(before);
                change.after = change.after.take().or(after);
            };
        for cost in before {
            let address = cost.address.clone();
            entry(&address, Some(cost), None);
        }
        for cost in after {
            let address = cost.address.clone();
            entry(&address, None, Some(cost));
        }
        let resources: Vec<Change> = changes.into_values().collect();
        Estimate {
            prior: Total::of(resources.iter().filter_map(|change| change.before.as_ref())),
            proposed: Total::of(resources.iter().filter_map(|change| change.after.as_ref())),
            resources,
            book: self.book.digest().to_owned(),
        }
    }

    fn side(&self, plan: &Plan, world: &World, usage: &Usage) -> Vec<ResourceCost> {
        let side = Side::new(
            world,
            &plan.configuration,
            &self.rules,
            &self.book,
            usage,
            self.default_region.as_deref(),
        );
        let price = |(index, entity)| {
            let outcome = side.price(index);
            ResourceCost::new(entity, outcome, &self.rules, &self.adjustments)
        };
        world.entities.iter().enumerate().map(price).collect()
    }
}

/// The data that comes with the binary is damaged.
#[derive(Debug, thiserror::Error)]
pub enum EstimatorError {
    /// The price book.
    #[error("the price book can't be used")]
    Book(#[from] crate::book::BookError),
    /// The rules.
    #[error("the cost rules can't be used")]
    Rules(#[from] crate::rules::RuleError),
}

impl Estimate {
    /// What the plan changes, in USD a month.
    #[must_use]
    pub fn delta(&self) -> Decimal {
        self.proposed.monthly - self.prior.monthly
    }
}

impl Change {
    /// What the change costs, in USD a month; `None` if one side can't be told.
    #[must_use]
    pub fn delta(&self) -> Option<Decimal> {
        let monthly = |side: &Option<ResourceCost>| match side {
            None => Some(Decimal::ZERO),
            Some(cost) => cost.known_monthly(),
        };
        Some(monthly(&self.after)? - monthly(&self.before)?)
    }
}

impl Total {
    fn of<'a>(costs: impl Iterator<Item = &'a ResourceCost>) -> Self {
        let mut total = Self::default();
        for cost in costs {
            total.monthly += cost.monthly.unwrap_or_default();
            total.usage += cost.usage_monthly;
            *total.counts.entry(cost.status).or_default() += 1;
        }
        total
    }

    /// How many resources have a status.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.counts.get(&status).copied().unwrap_or_default()
    }
}
