//! Fetches a configuration from a git repository: clone, pack, upload.
//!
//! Runs inside the runner, not in a step: nothing of the repository is executed or even checked
//! out. A fetch that was interrupted by a restart is simply done again.

use std::io::{BufWriter, Write};
use std::time::Duration;

use protocol::v1::complete_request::Outcome;
use protocol::v1::{
    CompleteRequest, FetchResult, FetchWork, RenewCredentialsRequest, UploadHead, job,
};
use tokio::sync::watch;

use super::finish_plan::chain;
use super::outcome::report;
use super::{Context, JobDirectory, Wanted};
use crate::git;
use crate::wire::{Artefact, Lane, Refused, upload};

/// A fetch that takes longer has failed, unless the job says otherwise.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Fetches, packs and uploads; returns the report.
pub(super) async fn fetch(
    context: &Context,
    directory: &mut JobDirectory,
    wanted: &mut watch::Receiver<Wanted>,
) -> Result<CompleteRequest, Refused> {
    let job = directory.job.clone();
    let Some(job::Work::Fetch(mut work)) = job.work.clone() else {
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
        fetched = tokio::time::timeout(patience, with_fresh_token(context, directory, &mut work)) => fetched,
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
            let given = match &job.work {
                Some(job::Work::Fetch(given)) => given.token.as_str(),
                Some(job::Work::Plan(_) | job::Work::Apply(_)) | None => "",
            };
            let sentence = [work.token.as_str(), given]
                .into_iter()
                .filter(|token| !token.is_empty())
                .fold(sentence, |text, token| text.replace(token, "***"));
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

/// Fetches; where the host refuses the token, once more with a new one. A token may have run out
/// while the job waited for its turn or the runner was away.
async fn with_fresh_token(
    context: &Context,
    directory: &JobDirectory,
    work: &mut FetchWork,
) -> Result<FetchResult, FetchJobError> {
    let refused = match fetch_and_upload(context, directory, work).await {
        Err(error @ FetchJobError::Fetch(git::FetchError::Credentials(_))) => error,
        other => return other,
    };
    let lease = RenewCredentialsRequest {
        job_id: directory.job.id.clone(),
        epoch: directory.job.epoch,
    };
    let renewed = context
        .wire
        .call(Lane::Control, |mut client| {
            let lease = lease.clone();
            async move { Ok(client.renew_credentials(lease).await?.into_inner()) }
        })
        .await
        .map_err(FetchJobError::Refused)?;
    if renewed.vcs_token.is_empty() || renewed.vcs_token == work.token {
        return Err(refused);
    }
    tracing::info!(job = %directory.job.id, "fetching once more with a new token");
    work.token = renewed.vcs_token;
    fetch_and_upload(context, directory, work).await
}

enum Way {
    Https(Box<git::Connection>),
    Ssh(git::SshConnection),
}

fn connection(context: &Context, work: &FetchWork) -> Result<Way, git::FetchError> {
    if git::SshConnection::is_meant(&work.url) {
        let connection = git::SshConnection::new(&work.url, &work.token, &work.known_hosts)?;
        return Ok(Way::Ssh(connection));
    }
    let proxy = context
        .proxy
        .as_ref()
        .map(|(url, exceptions)| (url, exceptions.as_deref()));
    let FetchWork {
        url,
        username,
        token,
        ca_pem,
        ..
    } = work;
    let connection = git::Connection::new(url, username, token, ca_pem, proxy)?;
    Ok(Way::Https(Box::new(connection)))
}

async fn fetch_and_upload(
    context: &Context,
    directory: &JobDirectory,
    work: &FetchWork,
) -> Result<FetchResult, FetchJobError> {
    let connection = connection(context, work)?;
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
        let gzip = || {
            let file = BufWriter::new(std::fs::File::create(&path)?);
            Ok(flate2::write::GzEncoder::new(
                file,
                flate2::Compression::fast(),
            ))
        };
        let (fetched, gzip) = match connection {
            Way::Https(connection) => git::fetch(*connection, runtime, &wanted, &scratch, gzip)?,
            Way::Ssh(connection) => git::fetch_over_ssh(&connection, &wanted, &scratch, gzip)?,
        };
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
