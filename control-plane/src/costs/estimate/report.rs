//! The stored report, and what policies see of it.

use policy::input;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::compute::blocking;
use super::model::CostEstimate;
use crate::app::App;
use crate::context::Tenant;
use crate::costs::CostError;
use crate::objects;

/// What policies have no use for, and what would make their input many times as large.
const LEFT_OUT: &str = "components";

#[derive(Deserialize)]
struct Stored {
    prior_monthly_cost: String,
    proposed_monthly_cost: String,
    delta_monthly_cost: String,
    resources: Vec<Map<String, Value>>,
    removed: Vec<Map<String, Value>>,
}

/// What policies see of an estimate: totals as numbers, and an entry for each resource, also for
/// those that are removed. Nothing when it is not finished.
///
/// # Errors
/// The object store's own, or a report that can't be read.
pub async fn for_policies(
    app: &App,
    tenant: &Tenant,
    estimate: &CostEstimate,
) -> Result<Option<input::CostEstimate>, CostError> {
    let Some(blob) = &estimate.report_blob_id else {
        return Ok(None);
    };
    let object = objects::open(app, tenant, blob).await?;
    let read = blocking(&object, |reader| {
        let stored: Stored = serde_json::from_reader(reader).map_err(|error| error.to_string())?;
        stored.into_input()
    });
    match read.await? {
        Ok(input) => Ok(Some(input)),
        Err(reason) => {
            tracing::error!(estimate = %estimate.id, reason, "a stored cost report can't be read");
            Err(crate::problem::Fault::Unreadable {
                what: "a cost report",
            }
            .into())
        }
    }
}

impl Stored {
    fn into_input(self) -> Result<input::CostEstimate, String> {
        let number = |text: &str| text.parse::<f64>().map_err(|error| error.to_string());
        let resources = self.resources.into_iter().chain(self.removed);
        Ok(input::CostEstimate {
            prior_monthly_cost: number(&self.prior_monthly_cost)?,
            proposed_monthly_cost: number(&self.proposed_monthly_cost)?,
            delta_monthly_cost: number(&self.delta_monthly_cost)?,
            resources: resources
                .map(|mut entry| {
                    entry.remove(LEFT_OUT);
                    Value::Object(entry)
                })
                .collect(),
        })
    }
}
