//! What an estimate is.

use std::collections::BTreeMap;

use domain::cost::EstimateStatus;
use domain::ids::{BlobId, CostEstimateId, EnvironmentId, RunId, WorkspaceId};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::costs::limits::BrokenLimit;

/// What an estimate needs to know of a run. The slice of runs says how it comes from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPlan {
    pub run: RunId,
    pub environment: EnvironmentId,
    pub workspace: WorkspaceId,
    /// The plan as `terraform show -json` prints it.
    pub plan_json: Option<BlobId>,
}

/// The estimate of one run.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct CostEstimate {
    pub id: CostEstimateId,
    pub environment_id: EnvironmentId,
    pub workspace_id: WorkspaceId,
    pub run_id: RunId,
    pub status: EstimateStatus,
    /// USD a month, as decimal text; all three are there when it is finished.
    pub prior_monthly: Option<String>,
    pub proposed_monthly: Option<String>,
    pub delta_monthly: Option<String>,
    /// Proposed resources by status.
    #[sqlx(json)]
    pub counts: Counts,
    #[sqlx(json)]
    pub resources: Listed,
    /// Which price book it was made with.
    pub price_book: Option<String>,
    #[sqlx(json)]
    pub broken_limits: Vec<BrokenLimit>,
    pub report_blob_id: Option<BlobId>,
    /// Why there is no estimate.
    pub error: Option<String>,
    /// When each status was reached, by its wire name with dashes.
    #[sqlx(json)]
    pub timestamps: BTreeMap<String, Timestamp>,
    pub created_at: Timestamp,
}

/// Resources of the proposed side, by what could be said of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct Counts {
    /// They have a price.
    pub estimated: i64,
    /// They are paid by use, and no usage was given.
    pub usage_only: i64,
    /// They cost nothing by themselves.
    pub free: i64,
    /// There is no rule for their type.
    pub unsupported: i64,
    /// There is no price for them in the book.
    pub price_missing: i64,
    /// What their price depends on is not known.
    pub unknown: i64,
}

impl Counts {
    /// Those whose cost is told, be it nothing.
    pub fn matched(&self) -> i64 {
        self.estimated + self.usage_only + self.free
    }

    pub fn unmatched(&self) -> i64 {
        self.unsupported + self.price_missing + self.unknown
    }

    /// Counts others in.
    pub fn add(&mut self, other: &Self) {
        self.estimated += other.estimated;
        self.usage_only += other.usage_only;
        self.free += other.free;
        self.unsupported += other.unsupported;
        self.price_missing += other.price_missing;
        self.unknown += other.unknown;
    }
}

/// The first resources of an estimate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listed {
    /// With a cost.
    pub matched: Vec<ListedResource>,
    /// Without one.
    pub unmatched: Vec<ListedResource>,
}

/// One resource in short; the report has the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ListedResource {
    pub address: String,
    #[serde(rename = "type")]
    pub resource_type: String,
    pub status: String,
    pub prior_monthly_cost: Option<String>,
    pub proposed_monthly_cost: Option<String>,
    pub delta_monthly_cost: Option<String>,
}

/// What came out of making an estimate.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimated {
    pub estimate: CostEstimate,
    /// What policies see of it; nothing when there is no estimate.
    pub for_policies: Option<policy::input::CostEstimate>,
    /// Limits that stop the run, or that have something to say.
    pub broken: Vec<BrokenLimit>,
}

/// The id of a run's estimate, if it has one: both differ in the prefix only.
pub fn id_for(run: &RunId) -> CostEstimateId {
    let body = run.as_str().strip_prefix(RunId::PREFIX).unwrap_or_default();
    let id = format!("{}{body}", CostEstimateId::PREFIX);
    id.parse().unwrap_or_else(|_| CostEstimateId::random())
}

/// The name of a status among the timestamps.
pub(super) fn timestamp_key(status: EstimateStatus) -> String {
    format!("{}-at", status.as_str().replace('_', "-"))
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn an_estimate_is_found_beside_its_run() {
        let run: RunId = "run-abcDEF1234567890".parse().unwrap();
        assert_eq!(id_for(&run).as_str(), "ce-abcDEF1234567890");
    }
}
