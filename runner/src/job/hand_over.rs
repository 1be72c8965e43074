//! Handing a job's report over, and what becomes of an apply whose report or state is refused.

use protocol::v1::{CompleteRequest, job};
use tokio::sync::watch;

use super::directory::Stage;
use super::{Context, JobDirectory, Wanted};
use crate::wire::{Lane, Refused};

pub(super) fn is_apply(directory: &JobDirectory) -> bool {
    matches!(directory.job.work, Some(job::Work::Apply(_)))
}

/// Reports until it is acknowledged, refused or not wanted any more. What is refused of anything but
/// an apply is over: an apply's state may still be asked for.
pub(super) async fn complete(
    context: &Context,
    directory: &mut JobDirectory,
    report: CompleteRequest,
    wanted: &mut watch::Receiver<Wanted>,
) -> Result<(), Refused> {
    let answer = tokio::select! {
        answer = context.wire.call(Lane::Control, |mut client| {
            let report = report.clone();
            async move { Ok(client.complete(report).await?.into_inner().accepted) }
        }) => answer,
        () = until_forgotten(wanted) => return Ok(()),
    };
    match answer {
        Ok(true) => {
            note(directory, Stage::Over);
            Ok(())
        }
        Err(Refused::Stopping) => Err(Refused::Stopping),
        _ if !is_apply(directory) => Ok(()),
        Ok(false) => Err(Refused::Status("its report was not taken".to_owned())),
        Err(refused) => Err(refused),
    }
}

async fn until_forgotten(wanted: &mut watch::Receiver<Wanted>) {
    if wanted
        .wait_for(|wanted| *wanted == Wanted::Forget)
        .await
        .is_err()
    {
        std::future::pending::<()>().await;
    }
}

/// What becomes of an apply that was refused.
pub(super) enum Kept {
    /// There is another connection, over which it may be taken.
    Again,
    Forgotten,
}

/// Waits until the control plane forgets a refused apply. One that it has let go of, or whose runner
/// it has revoked, is brought home once more over each new connection: what was refused over the one
/// before may be taken there. `connection`: the one there was when it was tried.
pub(super) async fn kept(
    context: &Context,
    wanted: &mut watch::Receiver<Wanted>,
    connection: Option<u64>,
    refused: &Refused,
) -> Result<Kept, Refused> {
    let deliverable = matches!(refused, Refused::Denied(_)) || is_released(wanted);
    tokio::select! {
        () = until_forgotten(wanted) => Ok(Kept::Forgotten),
        other = context.wire.other_connection(connection), if deliverable => {
            other.map(|()| Kept::Again)
        }
    }
}

pub(super) fn is_released(wanted: &watch::Receiver<Wanted>) -> bool {
    *wanted.borrow() == Wanted::Release
}

pub(super) fn note(directory: &mut JobDirectory, stage: Stage) {
    if let Err(error) = directory.enter(stage) {
        tracing::warn!(job = %directory.job.id, %error, "the job's record could not be written");
    }
}
