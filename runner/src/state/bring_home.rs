//! Uploads the newest state that a step has left.

use std::path::Path;

use protocol::v1::{Job, UploadHead};

use super::found::{Found, Source, errored, found, md5_of};
use crate::job::StepDir;
use crate::wire::{Artefact, ArtefactError, Wire, upload};

/// How the uploads are labelled.
#[derive(Debug, Clone, Copy)]
pub struct Label<'a> {
    /// The serial the step began with; -1 without a state.
    pub base_serial: i64,
    pub lineage: &'a str,
    /// The step died: the lease may be gone.
    pub recovery: bool,
}

/// What arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BroughtHome {
    /// Serial of the newest state that the control plane now has in one form or another.
    pub serial: Option<i64>,
    /// There was a state that terraform could write nowhere else.
    pub errored: bool,
}

/// Uploads: the newest copy in clear, if the step has changed anything; a newer one in the journal,
/// sealed; and what terraform could write nowhere else.
///
/// # Errors
/// When the control plane takes no more, or a copy can't be read. Nothing is deleted.
pub async fn bring_home(
    wire: &Wire,
    job: &Job,
    step: &StepDir,
    state_file: Option<&Path>,
    label: Label<'_>,
) -> Result<BroughtHome, ArtefactError> {
    let all = {
        let (step, file) = (step.clone(), state_file.map(Path::to_owned));
        let lineage = label.lineage.to_owned();
        tokio::task::spawn_blocking(move || found(&step, file.as_deref(), &lineage))
            .await
            .unwrap_or_default()
    };
    let mut home = BroughtHome::default();
    let mut clear_serial = None;
    for copy in all {
        let is_news = copy.serial > label.base_serial;
        let wanted = match copy.source {
            Source::StateFile | Source::Snapshot => clear_serial.is_none() && is_news,
            // Sorted by serial: a sealed copy that comes first is newer than all in clear.
            Source::Journal => clear_serial.is_none() && is_news,
            Source::Errored => false,
        };
        if !wanted {
            continue;
        }
        if copy.source != Source::Journal {
            clear_serial = Some(copy.serial);
        }
        home.serial = home.serial.max(Some(copy.serial));
        send(wire, job, copy, label).await?;
    }
    if let Some(copy) = errored(step) {
        home.errored = true;
        send(wire, job, copy, label).await?;
    }
    Ok(home)
}

async fn send(wire: &Wire, job: &Job, copy: Found, label: Label<'_>) -> Result<(), ArtefactError> {
    let kind = match copy.source {
        Source::StateFile | Source::Snapshot => "state",
        Source::Journal => "sealed-state",
        Source::Errored => "errored-state",
    };
    let md5_hex = match copy.source {
        Source::Journal => String::new(),
        Source::StateFile | Source::Snapshot | Source::Errored => {
            md5_of(&copy.file).map_err(|source| ArtefactError::Read {
                kind: kind.to_owned(),
                source,
            })?
        }
    };
    let head = UploadHead {
        job_id: job.id.clone(),
        epoch: job.epoch,
        kind: kind.to_owned(),
        serial: copy.serial,
        lineage: copy.lineage.clone(),
        final_state: true,
        recovery: label.recovery,
        md5_hex,
        ..UploadHead::default()
    };
    let artefact = Artefact::of_file(copy.file, head).await?;
    upload(wire, &artefact).await.map(|_| ())
}
