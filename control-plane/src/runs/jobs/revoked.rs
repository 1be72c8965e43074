//! What a revoked runner may still do: deliver the states of applies that it held, and no more.
//!
//! Decided against letting it end its applies: whoever revoked it doesn't trust what it does. And
//! against shutting it out: its journal may be the only record of what exists. So its jobs are given
//! up at once, their runs wait as state-uncertain for a person, and what it brings goes into
//! quarantine.
//!
//! Nothing that comes under the name of a revoked runner ends its grant or makes it forget an apply:
//! its key may be in other hands as well, and the journal on its own disk.

use std::collections::HashMap;

use domain::ids::{JobId, RunnerId};
use domain::job::{JobKind, JobStatus};

use super::expire::{Gone, give_up};
use super::service::Standing;
use super::store::{self, Job};
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::runs::error::RunError;

type Result<T> = std::result::Result<T, RunError>;

/// So many times the largest state may be delivered for one apply: the newest in clear, the newest
/// of the journal, what terraform could write nowhere else, and one more try.
const MOST_STATES: u64 = 4;
/// Smaller deliveries count as if they had this part of the largest state: it bounds their number.
const SMALLEST_PART: u64 = 16;

/// What a revoked runner says that it brings.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    pub runner: &'a RunnerId,
    pub job: &'a JobId,
    pub epoch: i64,
    /// Its size in bytes.
    pub size: u64,
}

/// Whether states of this job may still come.
fn has_grant(job: &Job, now: Timestamp) -> bool {
    job.status == JobStatus::Abandoned
        && job.kind == JobKind::Apply
        && job.recovery_until.is_some_and(|until| now <= until)
}

/// Gives up what a revoked runner has in hand, and tells for how many of its jobs states may still
/// come.
///
/// # Errors
/// The database's own.
pub async fn give_up_of(app: &App, tenant: &Tenant, runner: &RunnerId) -> Result<usize> {
    let mut conn = app.db.acquire().await?;
    let in_hand = store::in_hand(&mut conn, tenant, runner).await?;
    drop(conn);
    for job in &in_hand {
        let given_up = give_up(app, job, Gone::Revoked).await;
        if let Err(error) = given_up
            && is_in_hand(app, tenant, job).await?
        {
            return Err(error);
        }
    }
    if !in_hand.is_empty() {
        app.signals.dispatch.wake();
    }
    let now = app.clock.now();
    let mut conn = app.db.acquire().await?;
    let applies = store::unended_applies(&mut conn, tenant, runner).await?;
    Ok(applies.iter().filter(|job| has_grant(job, now)).count())
}

/// Whether nobody else was quicker to give a job up, or to end it.
async fn is_in_hand(app: &App, tenant: &Tenant, job: &Job) -> Result<bool> {
    let mut conn = app.db.acquire().await?;
    let now = store::find(&mut conn, tenant, &job.id).await?;
    Ok(now.is_some_and(|it| it.epoch == job.epoch && it.status == job.status))
}

/// What becomes of the jobs that a revoked runner says it has: it lets go of its applies and
/// delivers, the others it forgets.
///
/// # Errors
/// The database's own.
pub async fn left_by(
    app: &App,
    tenant: &Tenant,
    runner: &RunnerId,
    jobs: &[(JobId, i64)],
) -> Result<Vec<Standing>> {
    let mut conn = app.db.acquire().await?;
    let applies = store::unended_applies(&mut conn, tenant, runner).await?;
    let epochs: HashMap<_, _> = applies.iter().map(|job| (&job.id, job.epoch)).collect();
    let standing = |(id, epoch): &(JobId, i64)| {
        if epochs.get(id) == Some(epoch) {
            Standing::Lost
        } else {
            Standing::Over
        }
    };
    Ok(jobs.iter().map(standing).collect())
}

/// The job of a state that a revoked runner is about to bring, which counts from here on, whatever
/// comes of it; `None` when it has brought as much as it may.
///
/// # Errors
/// [`RunError::StaleEpoch`] unless it held the job and the grant lasts.
pub async fn admit_delivery(
    app: &App,
    tenant: &Tenant,
    delivery: Delivery<'_>,
) -> Result<Option<Job>> {
    let mut tx = app.db.begin().await?;
    let job = granted(&mut tx, app, tenant, delivery).await?;
    let largest = app.installation.limits.state;
    let bytes = delivery.size.max(largest / SMALLEST_PART);
    let most = largest.saturating_mul(MOST_STATES);
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX / 2);
    if !store::reserve_delivery(&mut tx, tenant, &job.id, signed(bytes), signed(most)).await? {
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(job))
}

async fn granted(
    conn: &mut db::Conn,
    app: &App,
    tenant: &Tenant,
    delivery: Delivery<'_>,
) -> Result<Job> {
    let now = app.clock.now();
    store::find(conn, tenant, delivery.job)
        .await?
        .filter(|job| {
            job.runner_id.as_ref() == Some(delivery.runner)
                && job.epoch == delivery.epoch
                && has_grant(job, now)
        })
        .ok_or(RunError::StaleEpoch)
}

/// A revoked runner says that it has delivered all it had of a job. Its run stays as it is: what a
/// revoked runner reports settles nothing.
///
/// # Errors
/// [`RunError::StaleEpoch`] unless it held the job and the grant lasts: then it keeps what it has.
pub async fn delivered(app: &App, tenant: &Tenant, delivery: Delivery<'_>) -> Result<()> {
    let mut conn = app.db.acquire().await?;
    let job = granted(&mut conn, app, tenant, delivery).await?;
    tracing::info!(runner = %delivery.runner, job = %job.id,
        "a revoked runner says that it has delivered the states of an apply");
    Ok(())
}
