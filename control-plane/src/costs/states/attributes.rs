//! Costs of one workspace on the wire.

use serde::Serialize;
use utoipa::ToSchema;

use super::figures::Known;
use super::model::{Part, StateCost};
use super::service::WorkspaceCost;
use crate::clock::Timestamp;
use crate::costs::estimate::Counts;
use crate::http::jsonapi::Resource;
use domain::cost::{CostPartKind, StateCostStatus};

/// What a state costs. Money is decimal text, USD.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct StateCostAttributes {
    /// Null when it is not known.
    pub monthly_cost: Option<String>,
    pub hourly_cost: Option<String>,
    /// The share of the monthly cost that depends on assumed usage.
    pub usage_monthly_cost: Option<String>,
    pub resources_count: i64,
    /// Those whose cost is told, be it nothing.
    pub matched_resources_count: i64,
    /// Those without a price; the costs leave them out.
    pub unmatched_resources_count: i64,
    /// Resources by status.
    pub counts: Counts,
    pub currency: &'static str,
    /// The prices that its own were taken from.
    pub price_book: Option<String>,
    #[schema(value_type = Option<String>)]
    pub priced_at: Option<Timestamp>,
    /// Why it can't be priced.
    pub error_message: Option<String>,
}

impl StateCostAttributes {
    fn of(cost: Option<&StateCost>) -> Self {
        let counts = cost.map(|cost| cost.counts.clone()).unwrap_or_default();
        let text = |field: fn(&StateCost) -> &Option<String>| cost.and_then(|it| field(it).clone());
        Self {
            monthly_cost: text(|it| &it.monthly),
            hourly_cost: text(|it| &it.hourly),
            usage_monthly_cost: text(|it| &it.usage_monthly),
            resources_count: counts.matched() + counts.unmatched(),
            matched_resources_count: counts.matched(),
            unmatched_resources_count: counts.unmatched(),
            counts,
            currency: "USD",
            price_book: text(|it| &it.price_book),
            priced_at: cost.and_then(|cost| cost.priced_at),
            error_message: text(|it| &it.error),
        }
    }

    /// Of a workspace without a state.
    fn nothing() -> Self {
        let zero = || Some("0".to_owned());
        Self {
            monthly_cost: zero(),
            hourly_cost: zero(),
            usage_monthly_cost: zero(),
            ..Self::of(None)
        }
    }
}

/// Attributes of type `workspace-costs`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct WorkspaceCostAttributes {
    /// `priced`, `unpriced`, `pending` (the figures are of the state before), `no-state`.
    pub status: &'static str,
    #[serde(flatten)]
    pub cost: StateCostAttributes,
    /// They add up to the cost.
    pub modules: Vec<CostPartAttributes>,
    /// Those of one key add up to the cost.
    pub tags: Vec<CostPartAttributes>,
    /// Keys of tags that have no subtotals.
    pub omitted_tag_keys_count: i64,
}

/// A subtotal of a state.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct CostPartAttributes {
    /// The tag; null for modules.
    pub key: Option<String>,
    /// The module (empty: the root module) or the value of the tag (empty: what doesn't have it).
    pub name: String,
    /// It is all that are not told apart, and has no name.
    pub remainder: bool,
    pub monthly_cost: String,
    pub hourly_cost: String,
    pub usage_monthly_cost: String,
    pub resources_count: i64,
    /// Those without a price.
    pub unmatched_resources_count: i64,
}

fn part(part: &Part) -> CostPartAttributes {
    CostPartAttributes {
        key: (part.kind == CostPartKind::Tag).then(|| part.key.clone()),
        name: part.name.clone(),
        remainder: part.remainder,
        monthly_cost: part.monthly.clone(),
        hourly_cost: part.hourly.clone(),
        usage_monthly_cost: part.usage_monthly.clone(),
        resources_count: part.resources,
        unmatched_resources_count: part.unmatched,
    }
}

/// A workspace's cost as a JSON:API object.
pub(super) fn workspace_cost(found: &WorkspaceCost) -> Resource<WorkspaceCostAttributes> {
    let of_kind = |kind: CostPartKind| -> Vec<CostPartAttributes> {
        let parts = found.parts.iter().filter(|part| part.kind == kind);
        parts.map(part).collect()
    };
    let (status, cost) = match found.known {
        Known::Nothing => ("no-state", StateCostAttributes::nothing()),
        Known::Unpriced => ("unpriced", StateCostAttributes::of(found.cost.as_ref())),
        Known::Priced => ("priced", StateCostAttributes::of(found.cost.as_ref())),
        Known::Pending => ("pending", StateCostAttributes::of(found.cost.as_ref())),
    };
    let attributes = WorkspaceCostAttributes {
        status,
        cost,
        modules: of_kind(CostPartKind::Module),
        tags: of_kind(CostPartKind::Tag),
        omitted_tag_keys_count: found.cost.as_ref().map_or(0, |cost| cost.omitted_tags),
    };
    let path = format!("/api/v2/workspaces/{}/cost", found.workspace);
    let priced = found.cost.as_ref().map(|cost| &cost.state_version_id);
    Resource::new("workspace-costs", &found.workspace, attributes)
        .to_one("workspace", "workspaces", Some(&found.workspace))
        .to_one("state-version", "state-versions", found.current.as_ref())
        .to_one("priced-state-version", "state-versions", priced)
        .link("self", path)
}

/// Attributes of type `state-version-costs`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct CostHistoryAttributes {
    /// `priced`, `unpriced`, `pending`.
    #[schema(value_type = String)]
    pub status: StateCostStatus,
    /// Since when it has been the current state.
    #[schema(value_type = String)]
    pub since: Timestamp,
    #[serde(flatten)]
    pub cost: StateCostAttributes,
}

/// An entry of a workspace's history as a JSON:API object.
pub(super) fn entry(cost: &StateCost) -> Resource<CostHistoryAttributes> {
    let attributes = CostHistoryAttributes {
        status: cost.status,
        since: cost.since,
        cost: StateCostAttributes::of(Some(cost)),
    };
    let id = &cost.state_version_id;
    Resource::new("state-version-costs", id, attributes)
        .to_one("state-version", "state-versions", Some(id))
        .to_one("workspace", "workspaces", Some(&cost.workspace_id))
}
