//! What one state takes, from its claim to the row that says what it costs.

use super::claim_store::Claimed;
use super::compute::{self, Priced};
use super::result_store::{self, Outcome};
use crate::app::App;
use crate::context::Tenant;
use crate::costs::CostError;
use crate::costs::estimate::Counts;
use crate::costs::pricing::Sources;
use crate::costs::revision;

/// A state that so many processes have not come back from is given up: it would keep the others from
/// being priced.
const MOST_LOSSES: i64 = 5;

/// Prices a state and writes what came of it. Whatever is wrong with it ends in its row.
///
/// # Errors
/// A fault of ours, after which it is tried again.
pub(super) async fn perform(
    app: &App,
    tenant: &Tenant,
    claimed: &Claimed,
    basis: &str,
) -> Result<(), CostError> {
    let state = &claimed.state;
    let (environment, workspace) = (&state.environment_id, &state.workspace_id);
    let mut conn = app.db.acquire().await?;
    let Some(stored) = result_store::stored(&mut conn, tenant, &state.id).await? else {
        return Ok(());
    };
    // Read before what it counts: a change in between is seen as one that came later.
    let revision = revision::of_workspace(&mut conn, tenant, environment, workspace).await?;
    let sources = Sources::load(&mut conn, tenant, environment, workspace).await?;
    drop(conn);
    let priced = if claimed.losses > MOST_LOSSES {
        Err(format!(
            "the process that worked on it ended {MOST_LOSSES} times before it was done"
        ))
    } else {
        Box::pin(compute::price(app, tenant, &stored, sources)).await?
    };
    let outcome = match &priced {
        Ok(priced) => of_priced(priced, basis, revision),
        Err(reason) => Outcome {
            total: None,
            error: Some(reason),
            counts: Counts::default(),
            parts: &[],
            omitted_tags: 0,
            price_book: None,
            basis,
            revision,
        },
    };
    let mut tx = app.db.begin().await?;
    let counts = result_store::finish(&mut tx, tenant, claimed, &outcome, app.clock.now()).await?;
    tx.commit().await?;
    if let (true, Err(reason)) = (counts, &priced) {
        tracing::info!(state = %state.id, reason, "a state can't be priced");
    }
    Ok(())
}

fn of_priced<'a>(priced: &'a Priced, basis: &'a str, revision: i64) -> Outcome<'a> {
    Outcome {
        total: Some(&priced.total),
        error: None,
        counts: priced.counts.clone(),
        parts: &priced.parts.all,
        omitted_tags: priced.parts.omitted_tags,
        price_book: Some(&priced.price_book),
        basis,
        revision,
    }
}
