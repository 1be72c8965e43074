//! Offers queued jobs to free runners that are connected to this process.

use std::collections::HashSet;

use domain::ids::RunnerPoolId;

use super::messages::offer;
use crate::app::App;
use crate::runners::hub::Hub;
use crate::runners::{self, Demands};
use crate::runs::{RunError, jobs};

/// One pass over the pools that have room here and jobs that wait, a job of each at a time, so that
/// none waits for another one's long queue. Idempotent: an offer is one conditional update, so
/// replicas don't give one job to two runners.
///
/// Reads before it writes: on SQLite an offer takes the one writer there is, and with nothing in the
/// queue a large fleet would take it at each heart-beat.
pub(super) async fn pass(app: &App, hub: &Hub) -> Result<(), RunError> {
    let mut done = HashSet::new();
    loop {
        let mut room = hub.pools_with_room();
        room.retain(|pool| !done.contains(pool));
        let open = waiting(app, &room).await?;
        if open.is_empty() {
            return Ok(());
        }
        for (pool, demands) in open {
            if !offer_one(app, hub, &pool, demands).await? {
                done.insert(pool);
            }
        }
    }
}

/// Which of these pools have jobs that wait, and what they demand of a runner.
async fn waiting(
    app: &App,
    room: &[RunnerPoolId],
) -> Result<Vec<(RunnerPoolId, Demands)>, RunError> {
    let mut open = Vec::new();
    if room.is_empty() {
        return Ok(open);
    }
    let mut conn = app.db.acquire().await?;
    for pool in room {
        if jobs::is_waited_for(&mut conn, pool).await? {
            open.push((pool.clone(), runners::demands(&mut conn, pool).await?));
        }
    }
    Ok(open)
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
