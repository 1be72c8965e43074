//! Fetches a configuration from a git repository: clone, pack, upload.
//!
//! Runs inside the runner, not in a step: nothing of the repository is executed or even checked
//! out. A fetch that was interrupted by a restart is simply done again.

use std::io::{BufWriter, Write};
use std::time::Duration;

use protocol::v1::complete_request::Outcome;
use protocol::v1::{CompleteRequest, FetchResult, FetchWork, UploadHead, job};
use tokio::sync::watch;

use super::finish_plan::chain;
use super::outcome::report;
use super::{Context, JobDirectory, Wanted};
use crate::git;
use crate::wire::{Artefact, Refused, upload};

/// A fetch that takes longer has failed, unless the job says otherwise.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Fetches, packs and uploads; returns the report.
pub(super) async fn fetch(
    context: &Context,
    directory: &mut JobDirectory,
    wanted: &mut watch::Receiver<Wanted>,
) -> Result<CompleteRequest, Refused> {
    let job = directory.job.clone();
    let Some(job::Work::Fetch(work)) = job.work.clone() else {
        return Ok(report(
            &job,
            Outcome::Failed,
            "The job says nothing of what to fetch.",
        ));
    };
    let patience = match job.timeout_seconds {
        0 => PATIENCE,
        seconds => Duration::from_secs(seconds.into()),
    };
    let fetched = tokio::select! {
        fetched = tokio::time::timeout(patience, fetch_and_upload(context, directory, &work)) => fetched,
        _ = wanted.wait_for(|wanted| *wanted != Wanted::Continue) => {
            return Ok(report(&job, Outcome::Canceled, "The fetch was canceled."));
        }
    };
    Ok(match fetched {
        Ok(Ok(result)) => CompleteRequest {
            fetch: Some(result),
            ..report(&job, Outcome::Succeeded, String::new())
        },
        Ok(Err(FetchJobError::Refused(Refused::Stopping))) => return Err(Refused::Stopping),
        Ok(Err(error)) => {
            let sentence = chain(&error);
            let sentence = match work.token.as_str() {
                "" => sentence,
                token => sentence.replace(token, "***"),
            };
            report(&job, Outcome::Failed, sentence)
        }
        Err(_) => CompleteRequest {
            timed_out: true,
            ..report(
                &job,
                Outcome::Failed,
                "The repository could not be fetched in time.",
            )
        },
    })
}

#[derive(Debug, thiserror::Error)]
enum FetchJobError {
    #[error(transparent)]
    Fetch(#[from] git::FetchError),
    #[error("the archive could not be made: {0}")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Refused(Refused),
    #[error(transparent)]
    Upload(crate::wire::ArtefactError),
}

async fn fetch_and_upload(
    context: &Context,
    directory: &JobDirectory,
    work: &FetchWork,
) -> Result<FetchResult, FetchJobError> {
    let proxy = context
        .proxy
        .as_ref()
        .map(|(url, exceptions)| (url, exceptions.as_deref()));
    let connection =
        git::Connection::new(&work.url, &work.username, &work.token, &work.ca_pem, proxy)?;
    let wanted = git::Wanted {
        reference: work.reference.clone(),
        commit: work.commit.clone(),
        submodules: work.submodules,
    };
    let scratch = directory.path().join("repository");
    let archive = directory.path().join("configuration.tar.gz");
    for left in [&scratch, &archive] {
        if left.is_dir() {
            std::fs::remove_dir_all(left)?;
        } else {
            crate::files::remove_if_there(left)?;
        }
    }
    let runtime = tokio::runtime::Handle::current();
    let path = archive.clone();
    let work = tokio::task::spawn_blocking(move || {
        let file = BufWriter::new(std::fs::File::create(&path)?);
        let gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        let (fetched, gzip) = git::fetch(connection, runtime, &wanted, &scratch, gzip)?;
        gzip.finish()?.flush()?;
        std::fs::remove_dir_all(&scratch)?;
        Ok::<_, FetchJobError>(fetched)
    });
    let fetched = work.await.map_err(std::io::Error::other)??;
    let head = UploadHead {
        job_id: directory.job.id.clone(),
        epoch: directory.job.epoch,
        kind: "configuration".to_owned(),
        ..UploadHead::default()
    };
    let file = std::fs::File::open(&archive)?;
    let artefact = Artefact::of_file(file, head).await.map_err(refusal)?;
    upload(&context.wire, &artefact).await.map_err(refusal)?;
    Ok(FetchResult {
        commit: fetched.commit,
        author: fetched.author,
        message: fetched.message,
        branch: fetched.branch,
    })
}

fn refusal(error: crate::wire::ArtefactError) -> FetchJobError {
    match error {
        crate::wire::ArtefactError::Refused(refused) => FetchJobError::Refused(refused),
        error @ crate::wire::ArtefactError::Read { .. } => FetchJobError::Upload(error),
    }
}
