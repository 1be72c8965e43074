//! Pricing one state, on a thread where blocking is allowed.

use std::io::Read;

use ::cost::{Estimator, Plan, Subtotal, Usage, wanted};
use domain::ids::BlobId;

use super::parts::{Parts, parts};
use super::result_store::Stored;
use crate::app::App;
use crate::context::Tenant;
use crate::costs::CostError;
use crate::costs::estimate::{Counts, blocking, counts, open};
use crate::costs::pricing::Sources;
use crate::http::error::chain;

/// A priced state.
pub(super) struct Priced {
    pub total: Subtotal,
    pub counts: Counts,
    pub parts: Parts,
    pub price_book: String,
}

/// Prices a state. The inner error is why it can't be priced: trying again would not help.
pub(super) async fn price(
    app: &App,
    tenant: &Tenant,
    stored: &Stored,
    sources: Sources,
) -> Result<Result<Priced, String>, CostError> {
    if stored.summary.as_ref().is_some_and(|it| it.opaque) {
        return Ok(Err(
            "only the client that encrypted it can read it".to_owned()
        ));
    }
    let Some(blob) = &stored.blob_id else {
        return Ok(Err("it is no longer stored".to_owned()));
    };
    let object = match open(app, tenant, blob).await? {
        Ok(object) => object,
        Err(reason) => return Ok(Err(reason)),
    };
    let most = app.installation.limits.priced_state;
    if object.size() > most {
        return Ok(Err(format!(
            "it has {} bytes, and states are priced up to {most}: split the workspace",
            object.size()
        )));
    }
    let configuration = configuration(app, tenant, stored).await?;
    let book = app.prices.clone();
    blocking(&object, move |reader| {
        let (estimator, usage) = sources.prepare(&book).map_err(|error| chain(&error))?;
        state(&estimator, &usage, configuration, reader)
    })
    .await
}

/// The configuration that tells regions which a state doesn't. Without one they stay unknown, which the
/// counts say.
async fn configuration(
    app: &App,
    tenant: &Tenant,
    stored: &Stored,
) -> Result<Option<Plan>, CostError> {
    let plans = [&stored.own_plan, &stored.last_plan];
    let Some(blob) = plans.into_iter().flatten().next() else {
        return Ok(None);
    };
    match read_configuration(app, tenant, blob).await? {
        Ok(plan) => Ok(Some(plan)),
        Err(reason) => {
            tracing::debug!(plan = %blob, reason, "a state is priced without its configuration");
            Ok(None)
        }
    }
}

async fn read_configuration(
    app: &App,
    tenant: &Tenant,
    blob: &BlobId,
) -> Result<Result<Plan, String>, CostError> {
    let object = match open(app, tenant, blob).await? {
        Ok(object) => object,
        Err(reason) => return Ok(Err(reason)),
    };
    blocking(&object, |reader| {
        Plan::configuration_from_reader(reader).map_err(|error| chain(&error))
    })
    .await
}

fn state(
    estimator: &Estimator,
    usage: &Usage,
    configuration: Option<Plan>,
    reader: impl Read,
) -> Result<Priced, String> {
    let mut state = Plan::from_state_file(reader).map_err(|error| chain(&error))?;
    if let Some(configuration) = configuration {
        state = state.configured_as(configuration);
    }
    let estimate = estimator.estimate(&state, usage);
    Ok(Priced {
        total: wanted(&estimate),
        counts: counts(&estimate),
        parts: parts(&estimate),
        price_book: estimate.book,
    })
}
