//! What one analysis takes, from the first run to the last. Every few runs are written in a
//! transaction of their own, so a process may die anywhere, and progress can be seen.

use domain::ids::ImpactAnalysisId;
use domain::policy::{AnalysisStatus, RevisionStatus};
use futures::{TryStreamExt, stream};
use policy::worker::WorkerError;

use super::error::ImpactError;
use super::prepare::{Preparation, prepare};
use super::{chunk, scope_store, store, verdict_store};
use crate::app::App;
use crate::context::Tenant;
use crate::policies;

type Result<T> = std::result::Result<T, ImpactError>;

/// How many questions about as many runs are put to one worker and written together: so much work is
/// lost at the most when the process dies.
const QUESTIONS: usize = 600;
/// Runs that are judged together, whatever is known of them.
const RUNS: std::ops::RangeInclusive<usize> = 20..=100;
/// How many workers one analysis has at a time.
const WORKERS: usize = 3;

/// Works on an analysis until it is finished, if it is open.
///
/// # Errors
/// A fault, or a worker that can't be had; it is tried again later, and what was judged is kept.
pub(super) async fn perform(app: &App, tenant: &Tenant, id: &ImpactAnalysisId) -> Result<()> {
    match work(app, tenant, id).await {
        Err(ImpactError::Worker(WorkerError::Refused(reason) | WorkerError::Deaths(reason))) => {
            fail(app, tenant, id, &reason).await
        }
        // It, its group or its revision was deleted meanwhile.
        Err(ImpactError::NotFound) => Ok(()),
        other => other,
    }
}

async fn work(app: &App, tenant: &Tenant, id: &ImpactAnalysisId) -> Result<()> {
    let mut conn = app.db.acquire().await?;
    let analysis = store::find(&mut conn, tenant, id).await?;
    let Some(analysis) = analysis.filter(|it| it.status.is_open()) else {
        return Ok(());
    };
    let revision = policies::find_revision(&mut conn, tenant, &analysis.revision_id)
        .await?
        .ok_or(ImpactError::NotFound)?;
    drop(conn);
    match revision.status {
        RevisionStatus::Pending | RevisionStatus::Fetching | RevisionStatus::Checking => {
            return Ok(());
        }
        RevisionStatus::Errored => {
            let reason = revision.error_message.unwrap_or_default();
            return fail(app, tenant, id, &reason).await;
        }
        RevisionStatus::Good | RevisionStatus::FailingTests => {}
    }
    let job = match prepare(app, tenant, analysis).await? {
        Preparation::Ready(job) => job,
        Preparation::Hopeless(reason) => return fail(app, tenant, id, &reason).await,
    };
    let mut conn = app.db.acquire().await?;
    let waiting = scope_store::waiting(&mut conn, tenant, id).await?;
    let unheard = verdict_store::unheard(&mut conn, tenant, &job.digests()).await?;
    drop(conn);
    let job = &*job;
    stream::iter(waiting.chunks(together(waiting.len(), unheard)).map(Ok))
        .try_for_each_concurrent(WORKERS, |runs| {
            Box::pin(chunk::judge(app, tenant, job, runs))
        })
        .await?;
    end(app, tenant, id, AnalysisStatus::Finished, None).await
}

/// How many of so many runs are judged together, when so many policies were never asked: even parts.
fn together(runs: usize, unheard: usize) -> usize {
    let most = (QUESTIONS / unheard.max(1)).clamp(*RUNS.start(), *RUNS.end());
    let parts = runs.div_ceil(most).next_multiple_of(WORKERS);
    runs.div_ceil(parts.max(1)).max(*RUNS.start())
}

async fn fail(app: &App, tenant: &Tenant, id: &ImpactAnalysisId, reason: &str) -> Result<()> {
    end(app, tenant, id, AnalysisStatus::Errored, Some(reason)).await
}

async fn end(
    app: &App,
    tenant: &Tenant,
    id: &ImpactAnalysisId,
    status: AnalysisStatus,
    error: Option<&str>,
) -> Result<()> {
    let mut tx = app.db.begin().await?;
    store::end(&mut tx, tenant, id, status, error, app.clock.now()).await?;
    tx.commit().await?;
    tracing::info!(analysis = %id, %status, error, "an impact analysis has ended");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::together;

    #[test]
    fn what_is_little_work_is_done_in_few_even_parts() {
        assert_eq!(together(300, 1), 100);
        assert_eq!(together(300, 31), 20);
        assert_eq!(together(3, 1), 20);
        assert_eq!(together(0, 0), 20);
        assert_eq!(together(10_100, 1), 100);
    }
}
