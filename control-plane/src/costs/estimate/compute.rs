//! Pricing one plan, on a thread where blocking is allowed.
//!
//! Bounded: plans beyond a size are refused, few are in memory at a time, and a plan that trips the
//! estimator spoils its own estimate only.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ::cost::{Estimate, Estimator, Plan, Report, Status, Usage};
use domain::ids::BlobId;
use tokio::sync::Semaphore;

use super::model::{Counts, Listed, ListedResource, RunPlan};
use crate::app::App;
use crate::context::Tenant;
use crate::costs::CostError;
use crate::costs::amount;
use crate::costs::limits::Figures;
use crate::costs::pricing::Sources;
use crate::http::error::chain;
use crate::objects::{self, Object, ObjectError, pipe};
use crate::problem::Fault;

/// Largest plan or state that is priced, in bytes. In memory it takes a few times that.
pub(in crate::costs) const LARGEST: u64 = 128 << 20;
/// How many are in memory at a time.
static AT_WORK: Semaphore = Semaphore::const_new(2);
/// How many resources of each sort are listed in the row.
const LISTED: usize = 100;

/// A priced plan.
pub(super) struct Priced {
    pub figures: Figures,
    pub prior: String,
    pub counts: Counts,
    pub listed: Listed,
    pub price_book: String,
    /// JSON, as `terrane cost estimate --json` prints it.
    pub report: Vec<u8>,
}

/// Prices a run's plan. The inner error is why it can't be priced: trying again would not help.
pub(super) async fn price(
    app: &App,
    tenant: &Tenant,
    run: &RunPlan,
    sources: Sources,
) -> Result<Result<Priced, String>, CostError> {
    let Some(blob) = &run.plan_json else {
        return Ok(Err("the run has no plan in JSON".to_owned()));
    };
    let object = match open(app, tenant, blob).await? {
        Ok(object) => object,
        Err(reason) => return Ok(Err(reason)),
    };
    let book = app.prices.clone();
    blocking(&object, move |reader| {
        let (estimator, usage) = sources.prepare(&book).map_err(|error| chain(&error))?;
        plan(&estimator, &usage, reader)
    })
    .await
}

/// Opens what is to be priced; the inner error is why it can't be.
pub(in crate::costs) async fn open(
    app: &App,
    tenant: &Tenant,
    blob: &BlobId,
) -> Result<Result<Object, String>, CostError> {
    let lost = |reason: &str| Ok(Err(reason.to_owned()));
    match objects::open(app, tenant, blob).await {
        Ok(object) if object.size() > LARGEST => Ok(Err(format!(
            "it has {} bytes, and no more than {LARGEST} are priced",
            object.size()
        ))),
        Ok(object) => Ok(Ok(object)),
        Err(ObjectError::NotFound) => lost("it is no longer stored"),
        Err(ObjectError::Fault(Fault::Blob(blob::Error::Missing { .. }))) => {
            lost("it is missing from the object store")
        }
        Err(ObjectError::Fault(Fault::Blob(blob::Error::Corrupt { .. }))) => {
            lost("it is damaged in the object store")
        }
        Err(other) => Err(other.into()),
    }
}

/// Runs `work` on the object's bytes; whatever happens in it stays in it.
pub(in crate::costs) async fn blocking<T: Send + 'static>(
    object: &Object,
    work: impl FnOnce(&mut pipe::PipeReader) -> Result<T, String> + Send + 'static,
) -> Result<Result<T, String>, CostError> {
    let _permit = AT_WORK.acquire().await;
    let guarded = move |reader: &mut pipe::PipeReader| {
        catch_unwind(AssertUnwindSafe(|| work(reader)))
            .unwrap_or_else(|_| Err("the estimator failed on it; please report this".to_owned()))
    };
    match pipe::read_blocking(object.stream_from(0), guarded).await {
        Ok(result) => Ok(result),
        Err(error) => {
            let error = ObjectError::of_reading(error);
            if matches!(
                error,
                ObjectError::Fault(Fault::Blob(blob::Error::Corrupt { .. }))
            ) {
                return Ok(Err("it is damaged in the object store".to_owned()));
            }
            Err(error.into())
        }
    }
}

fn plan(estimator: &Estimator, usage: &Usage, reader: impl Read) -> Result<Priced, String> {
    let plan = Plan::from_reader(reader).map_err(|error| chain(&error))?;
    let estimate = estimator.estimate(&plan, usage);
    let report = Report::of(&estimate);
    let counts = counts(&estimate);
    Ok(Priced {
        figures: Figures {
            proposed: estimate.proposed.monthly,
            delta: estimate.delta(),
            unanswered: counts.unmatched(),
        },
        prior: amount::text(estimate.prior.monthly),
        counts,
        listed: listed(&report),
        price_book: estimate.book,
        report: serde_json::to_vec(&report).map_err(|error| error.to_string())?,
    })
}

/// The proposed resources by status.
pub(in crate::costs) fn counts(estimate: &Estimate) -> Counts {
    let of = |status| i64::try_from(estimate.proposed.count(status)).unwrap_or(i64::MAX);
    Counts {
        estimated: of(Status::Estimated),
        usage_only: of(Status::UsageOnly),
        free: of(Status::Free),
        unsupported: of(Status::Unsupported),
        price_missing: of(Status::PriceMissing),
        unknown: of(Status::Unknown),
    }
}

fn listed(report: &Report) -> Listed {
    let mut listed = Listed::default();
    for resource in &report.resources {
        let list = match resource.status {
            "estimated" | "usage_only" => &mut listed.matched,
            "free" => continue,
            _ => &mut listed.unmatched,
        };
        if list.len() < LISTED {
            list.push(ListedResource {
                address: resource.resource_address.clone(),
                resource_type: resource.resource_type.clone(),
                status: resource.status.to_owned(),
                prior_monthly_cost: resource.prior_monthly_cost.clone(),
                proposed_monthly_cost: resource.monthly_cost.clone(),
                delta_monthly_cost: resource.delta_monthly_cost.clone(),
            });
        }
    }
    listed
}
