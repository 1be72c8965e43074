//! Offers queued jobs to free runners that are connected to this process.

use domain::ids::RunnerPoolId;

use super::messages::offer;
use crate::app::App;
use crate::runners::hub::Hub;
use crate::runners::{self, Demands};
use crate::runs::{RunError, jobs};

/// One pass over the pools that have room here, a job of each at a time, so that none waits for
/// another one's long queue. Idempotent: an offer is one conditional update, so replicas don't give
/// one job to two runners.
pub(super) async fn pass(app: &App, hub: &Hub) -> Result<(), RunError> {
    let mut open = Vec::new();
    for pool in hub.pools_with_room() {
        let mut conn = app.db.acquire().await?;
        let demands = runners::demands(&mut conn, &pool).await?;
        drop(conn);
        open.push((pool, demands));
    }
    while !open.is_empty() {
        let mut still = Vec::with_capacity(open.len());
        for (pool, demands) in open {
            if offer_one(app, hub, &pool, demands).await? {
                still.push((pool, demands));
            }
        }
        open = still;
    }
    Ok(())
}

/// Offers one job of a pool; whether there may be more to offer.
async fn offer_one(
    app: &App,
    hub: &Hub,
    pool: &RunnerPoolId,
    demands: Demands,
) -> Result<bool, RunError> {
    // Runners that know none of the jobs that wait; a newer one may.
    let mut passed_over = Vec::new();
    let offered = loop {
        let Some((runner, offered)) = hub.take_slot(pool, demands) else {
            break false;
        };
        let Some(job) = jobs::offer_next(app, pool, &runner, offered).await? else {
            passed_over.push(runner);
            if offered.fetches_of_no_run {
                break false;
            }
            continue;
        };
        if !hub.send(&runner, offer(&job)) {
            jobs::withdraw(app, &job.id, job.epoch).await?;
        }
        break true;
    };
    for runner in &passed_over {
        hub.give_back(runner);
    }
    Ok(offered)
}
