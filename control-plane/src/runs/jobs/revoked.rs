//! What a revoked runner may still do: deliver the states of jobs that it held, and no more.
//!
//! Decided against letting it end its applies: whoever revoked it doesn't trust what it does. And
//! against shutting it out: its journal may be the only record of what exists. So its jobs are given
//! up at once, their runs wait as state-uncertain for a person, and what it brings goes into
//! quarantine.

use domain::ids::{JobId, RunnerId};
use domain::job::{JobKind, JobStatus};

use super::service::{Standing, give_up};
use super::store::{self, Job};
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::runs::error::RunError;

type Result<T> = std::result::Result<T, RunError>;

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
    for job in in_hand {
        give_up(app, &job).await?;
    }
    let now = app.clock.now();
    let mut conn = app.db.acquire().await?;
    let recoverable = store::recoverable(&mut conn, tenant, runner).await?;
    Ok(recoverable.iter().filter(|job| has_grant(job, now)).count())
}

/// What becomes of the jobs that a revoked runner says it has: those with a grant it lets go of and
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
    let now = app.clock.now();
    let mut conn = app.db.acquire().await?;
    let mut standings = Vec::with_capacity(jobs.len());
    for (id, epoch) in jobs {
        let found = store::find(&mut conn, tenant, id).await?;
        let may_deliver = found.is_some_and(|job| {
            job.runner_id.as_ref() == Some(runner) && job.epoch == *epoch && has_grant(&job, now)
        });
        standings.push(if may_deliver {
            Standing::Lost
        } else {
            Standing::Over
        });
    }
    Ok(standings)
}

/// The job of a state that a revoked runner brings.
///
/// # Errors
/// [`RunError::StaleEpoch`] unless it held the job and the grant lasts.
pub async fn granted(
    conn: &mut db::Conn,
    tenant: &Tenant,
    runner: &RunnerId,
    id: &JobId,
    epoch: i64,
    now: Timestamp,
) -> Result<Job> {
    store::find(conn, tenant, id)
        .await?
        .filter(|job| {
            job.runner_id.as_ref() == Some(runner) && job.epoch == epoch && has_grant(job, now)
        })
        .ok_or(RunError::StaleEpoch)
}

/// A revoked runner has delivered all it had of a job. Its run stays as it is: what a revoked runner
/// reports settles nothing.
///
/// # Errors
/// [`RunError::StaleEpoch`] for a job or epoch that never was this runner's.
pub async fn delivered(
    app: &App,
    tenant: &Tenant,
    runner: &RunnerId,
    id: &JobId,
    epoch: i64,
) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let job = store::find(&mut tx, tenant, id)
        .await?
        .filter(|job| job.runner_id.as_ref() == Some(runner) && job.epoch == epoch)
        .ok_or(RunError::StaleEpoch)?;
    store::end_recovery(&mut tx, tenant, &job.id).await?;
    tx.commit().await?;
    Ok(())
}
