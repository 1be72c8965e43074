//! Estimates on the wire. Source: TFE contract, section 6; ours are the counts and the limits.

use std::collections::BTreeMap;

use domain::cost::{EstimateStatus, LimitAction};
use serde::Serialize;
use utoipa::ToSchema;

use super::model::{CostEstimate, Counts, Listed};
use crate::clock::Timestamp;
use crate::costs::limits::BrokenLimit;
use crate::http::jsonapi::Resource;

/// Attributes of type `cost-estimates`. Money is decimal text, USD a month.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct EstimateAttributes {
    /// `pending`, `queued`, `finished`, `errored`, `canceled`.
    #[schema(value_type = String)]
    pub status: EstimateStatus,
    #[schema(value_type = BTreeMap<String, String>)]
    pub status_timestamps: BTreeMap<String, Timestamp>,
    /// Why there is no estimate.
    pub error_message: Option<String>,
    pub prior_monthly_cost: Option<String>,
    pub proposed_monthly_cost: Option<String>,
    pub delta_monthly_cost: Option<String>,
    /// Resources after the apply.
    pub resources_count: i64,
    /// Those whose cost is told, be it nothing.
    pub matched_resources_count: i64,
    /// Those without a price; the totals leave them out.
    pub unmatched_resources_count: i64,
    /// Resources after the apply, by status.
    pub counts: Counts,
    /// The first resources; `output` has all of them.
    pub resources: Listed,
    pub currency: &'static str,
    /// Which price book it was made with.
    pub price_book: Option<String>,
    pub broken_limits: Vec<BrokenLimitAttributes>,
}

/// A cost limit that the plan breaks.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct BrokenLimitAttributes {
    pub cost_limit_id: String,
    /// `warn`, `require-approval` or `block`.
    #[schema(value_type = String)]
    pub action: LimitAction,
    pub text: String,
    pub message: String,
}

fn broken(limit: &BrokenLimit) -> BrokenLimitAttributes {
    BrokenLimitAttributes {
        cost_limit_id: limit.limit.to_string(),
        action: limit.action,
        text: limit.text.clone(),
        message: limit.message.clone(),
    }
}

/// An estimate as a JSON:API object.
pub(super) fn resource(estimate: &CostEstimate) -> Resource<EstimateAttributes> {
    let counts = &estimate.counts;
    let attributes = EstimateAttributes {
        status: estimate.status,
        status_timestamps: estimate.timestamps.clone(),
        error_message: estimate.error.clone(),
        prior_monthly_cost: estimate.prior_monthly.clone(),
        proposed_monthly_cost: estimate.proposed_monthly.clone(),
        delta_monthly_cost: estimate.delta_monthly.clone(),
        resources_count: counts.matched() + counts.unmatched(),
        matched_resources_count: counts.matched(),
        unmatched_resources_count: counts.unmatched(),
        counts: counts.clone(),
        resources: estimate.resources.clone(),
        currency: "USD",
        price_book: estimate.price_book.clone(),
        broken_limits: estimate.broken_limits.iter().map(broken).collect(),
    };
    let path = format!("/api/v2/cost-estimates/{}", estimate.id);
    Resource::new("cost-estimates", &estimate.id, attributes)
        .to_one("run", "runs", Some(&estimate.run_id))
        .to_one("workspace", "workspaces", Some(&estimate.workspace_id))
        .link("output", format!("{path}/output"))
        .link("self", path)
}
