//! Sums over workspaces on the wire.

use serde::Serialize;
use utoipa::ToSchema;

use super::figures::{Amounts, Tally};
use super::groups::Group;
use super::model::date_of;
use super::summary::Summary;
use crate::costs::amount;
use crate::costs::estimate::Counts;
use crate::http::jsonapi::Resource;

/// Money as decimal text, USD.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct CostAmountAttributes {
    pub monthly_cost: String,
    pub hourly_cost: String,
    /// The share of the monthly cost that depends on assumed usage.
    pub usage_monthly_cost: String,
}

impl From<&Amounts> for CostAmountAttributes {
    fn from(amounts: &Amounts) -> Self {
        Self {
            monthly_cost: amount::text(amounts.monthly),
            hourly_cost: amount::text(amounts.hourly),
            usage_monthly_cost: amount::text(amounts.usage),
        }
    }
}

/// A sum over workspaces, with what is not in it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct CostSumAttributes {
    #[serde(flatten)]
    pub amounts: CostAmountAttributes,
    pub currency: &'static str,
    pub workspaces_count: i64,
    /// Those whose state can't be priced; nothing of them is in the sum.
    pub unpriced_workspaces_count: i64,
    /// Those whose state waits to be priced; what the state before it costs is in the sum.
    pub pending_workspaces_count: i64,
    pub resources_count: i64,
    /// Those without a price; the sum leaves them out.
    pub unmatched_resources_count: i64,
    /// Resources by status.
    pub counts: Counts,
}

impl From<&Tally> for CostSumAttributes {
    fn from(tally: &Tally) -> Self {
        let counts = tally.counts.clone();
        Self {
            amounts: (&tally.amounts).into(),
            currency: "USD",
            workspaces_count: tally.workspaces,
            unpriced_workspaces_count: tally.unpriced,
            pending_workspaces_count: tally.pending,
            resources_count: counts.matched() + counts.unmatched(),
            unmatched_resources_count: counts.unmatched(),
            counts,
        }
    }
}

/// Attributes of type `cost-summaries`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct CostSummaryAttributes {
    #[serde(flatten)]
    pub total: CostSumAttributes,
    /// The dearest first. They add up to the sum; what is beyond the first thousand is the remainder.
    pub groups: Vec<CostGroupAttributes>,
}

/// The sum of a group.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct CostGroupAttributes {
    /// Of a workspace or an environment.
    pub id: Option<String>,
    /// Of the workspace, environment or module (empty: root modules), or the value of the tag (empty:
    /// what doesn't have it).
    pub name: String,
    /// Of a workspace: the name of its environment.
    pub environment: Option<String>,
    /// It is all that are not told apart, and has no name.
    pub remainder: bool,
    #[serde(flatten)]
    pub amounts: CostAmountAttributes,
    pub workspaces_count: i64,
    /// By workspace, environment and tag of workspaces: those whose state can't be priced.
    pub unpriced_workspaces_count: i64,
    pub pending_workspaces_count: i64,
    pub resources_count: i64,
    /// Those without a price; the sum leaves them out.
    pub unmatched_resources_count: i64,
}

fn group(group: &Group) -> CostGroupAttributes {
    CostGroupAttributes {
        id: group.id.clone(),
        name: group.name.clone(),
        environment: group.environment.clone(),
        remainder: group.remainder,
        amounts: (&group.amounts).into(),
        workspaces_count: group.workspaces,
        unpriced_workspaces_count: group.unpriced,
        pending_workspaces_count: group.pending,
        resources_count: group.resources,
        unmatched_resources_count: group.unmatched,
    }
}

/// A sum as a JSON:API object.
pub(super) fn summary(summary: &Summary) -> Resource<CostSummaryAttributes> {
    let attributes = CostSummaryAttributes {
        total: (&summary.total).into(),
        groups: summary.groups.iter().map(group).collect(),
    };
    Resource::new("cost-summaries", &summary.id, attributes)
}

/// The sum of a day as a JSON:API object; the day is its id.
pub(super) fn day((day, tally): &(i64, Tally)) -> Resource<CostSumAttributes> {
    Resource::new("cost-days", date_of(*day), tally.into())
}
