//! Uploads the supervisor's snapshots while a step runs.

use std::time::Duration;

use protocol::v1::{Job, UploadHead};
use step::{JournalEntry, files};
use tokio::sync::watch;

use crate::job::StepDir;
use crate::wire::{Artefact, ArtefactError, Wire, upload};

/// At most one upload in this time; the last snapshot is uploaded when the step is over.
const THROTTLE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(250);

/// Uploads snapshots until `over`. Never fails: what could not be uploaded is brought home when
/// the step is over.
pub async fn sync_snapshots(
    wire: &Wire,
    job: &Job,
    step: &StepDir,
    mut over: watch::Receiver<bool>,
) {
    let mut last = i64::MIN;
    while !*over.borrow_and_update() {
        let mut pause = LOOK;
        if let Some(entry) = newer(step, last) {
            match upload_snapshot(wire, job, step, &entry).await {
                Ok(true) => {
                    last = entry.serial;
                    pause = THROTTLE;
                }
                // It was replaced meanwhile; look again at once.
                Ok(false) => continue,
                Err(error) => {
                    tracing::warn!(job = %job.id, %error, "a state snapshot was not taken");
                    return;
                }
            }
        }
        let _ = tokio::time::timeout(pause, over.wait_for(|over| *over)).await;
    }
}

fn newer(step: &StepDir, last: i64) -> Option<JournalEntry> {
    let entry: JournalEntry = step.read_json(files::SNAPSHOT_ENTRY).ok()??;
    (entry.serial > last).then_some(entry)
}

/// `false` if the snapshot is not the one that `entry` describes any more.
async fn upload_snapshot(
    wire: &Wire,
    job: &Job,
    step: &StepDir,
    entry: &JournalEntry,
) -> Result<bool, ArtefactError> {
    let kind = "state".to_owned();
    let Ok(Some(file)) = step.open_if_there(files::SNAPSHOT) else {
        tokio::time::sleep(LOOK).await;
        return Ok(false);
    };
    let head = UploadHead {
        job_id: job.id.clone(),
        epoch: job.epoch,
        kind,
        serial: entry.serial,
        lineage: entry.lineage.clone(),
        md5_hex: entry.md5_hex.clone(),
        ..UploadHead::default()
    };
    let artefact = Artefact::of_file(file, head).await?;
    if hex::encode(&artefact.head().sha256) != entry.sha256_hex {
        tokio::time::sleep(LOOK).await;
        return Ok(false);
    }
    upload(wire, &artefact).await?;
    Ok(true)
}
