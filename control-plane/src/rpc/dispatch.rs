//! Offers queued jobs to free runners that are connected to this process.

use crate::app::App;
use crate::runners::hub::Hub;
use crate::runs::{RunError, jobs};

use super::messages::offer;

/// One pass over the pools that have room here. Idempotent: an offer is one conditional update, so
/// replicas don't give one job to two runners.
pub(super) async fn pass(app: &App, hub: &Hub) -> Result<(), RunError> {
    for pool in hub.pools_with_room() {
        while let Some(runner) = hub.take_slot(&pool) {
            let Some(job) = jobs::offer_next(app, &pool, &runner).await? else {
                hub.give_back(&runner);
                break;
            };
            if !hub.send(&runner, offer(&job)) {
                jobs::withdraw(app, &job.id, job.epoch).await?;
            }
        }
    }
    Ok(())
}
