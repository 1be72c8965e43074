//! What a finished plan leaves for the gates and for the apply.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};

use protocol::v1::{Job, PlanSummary, UploadHead};
use step::StateMode;

use super::commands::{PLAN_JSON, SCHEMAS_JSON, left_out_of_archive};
use super::outcome::plan_summary;
use super::{Context, JobDirectory, StepDir};
use crate::archive;
use crate::logs::mask::{MaskedWriter, Secrets};
use crate::wire::{Artefact, ArtefactError, upload};

/// zstd's own default; a working tree is mostly text.
const LEVEL: i32 = 3;

/// Why a plan's results could not be brought home.
#[derive(Debug, thiserror::Error)]
pub(super) enum FinishError {
    #[error("terraform's plan could not be read: {0}")]
    Plan(String),
    #[error("the working tree could not be packed: {0}")]
    Pack(String),
    #[error("the redacted plan could not be made: {0}")]
    Redact(String),
    #[error(transparent)]
    Upload(#[from] ArtefactError),
    #[error("a result could not be stored: {0}")]
    Io(#[from] io::Error),
}

/// Uploads the results of a plan and returns its numbers.
pub(super) async fn finish_plan(
    context: &Context,
    directory: &JobDirectory,
    mode: StateMode,
) -> Result<PlanSummary, FinishError> {
    let step = directory.step()?;
    let scratch = directory.path().to_owned();
    let secrets = super::logs::json_secrets_of(&directory.job);
    let made = tokio::task::spawn_blocking(move || make(&step, &scratch, secrets));
    let made = made.await.map_err(io::Error::other)??;
    let job = &directory.job;
    let uploads = [
        (made.plan, "plan-json"),
        (made.redacted, "plan-json-redacted"),
        (made.archive, "plan-archive"),
    ];
    for (file, kind) in uploads {
        send(context, job, file, kind).await?;
    }
    let mode = match mode {
        StateMode::Local => "local",
        StateMode::Http => "http",
    };
    Ok(plan_summary(&made.summary, mode))
}

struct Made {
    summary: terraform::plan::PlanSummary,
    plan: File,
    redacted: File,
    archive: File,
}

fn make(step: &StepDir, scratch: &std::path::Path, secrets: Secrets) -> Result<Made, FinishError> {
    let plan = step.open(PLAN_JSON)?;
    let summary = terraform::plan::summarize(BufReader::new(&plan))
        .map_err(|error| FinishError::Plan(chain(&error)))?;
    let redacted = redacted(step, scratch, secrets)?;
    let archive = packed(step, scratch)?;
    Ok(Made {
        summary,
        plan: step.open(PLAN_JSON)?,
        redacted,
        archive,
    })
}

/// terraform hides what the configuration calls sensitive; what only the workspace calls so is
/// masked on top of that.
fn redacted(
    step: &StepDir,
    scratch: &std::path::Path,
    secrets: Secrets,
) -> Result<File, FinishError> {
    let path = scratch.join("redacted.json");
    let mut out = MaskedWriter::new(BufWriter::new(private(&path)?), secrets);
    let plan = BufReader::new(step.open(PLAN_JSON)?);
    let schemas: Box<dyn io::Read> = match step.open_if_there(SCHEMAS_JSON)? {
        Some(file) if file.metadata()?.len() > 0 => Box::new(BufReader::new(file)),
        Some(_) | None => Box::new(io::Cursor::new(b"{\"format_version\":\"1.0\"}")),
    };
    let redaction = terraform::redact::redact(plan, schemas, &mut out)
        .map_err(|error| FinishError::Redact(chain(&error)))?;
    if !redaction.missing_schemas.is_empty() {
        tracing::warn!(types = ?redaction.missing_schemas, "no schema for changed resources");
    }
    out.finish()?.flush()?;
    let document = BufReader::new(File::open(&path)?);
    serde_json::from_reader::<_, serde::de::IgnoredAny>(document).map_err(|_| {
        let reason = "a sensitive value of the workspace is part of JSON's own syntax";
        FinishError::Redact(reason.to_owned())
    })?;
    Ok(File::open(path)?)
}

fn packed(step: &StepDir, scratch: &std::path::Path) -> Result<File, FinishError> {
    let path = scratch.join("plan.tar.zst");
    let encoder = zstd::Encoder::new(BufWriter::new(private(&path)?), LEVEL)?;
    let encoder = archive::pack(step.dir(), encoder, &left_out_of_archive)
        .map_err(|error| FinishError::Pack(chain(&error)))?;
    encoder.finish()?.flush()?;
    Ok(File::open(path)?)
}

fn private(path: &std::path::Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    crate::files::remove_if_there(path)?;
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

async fn send(context: &Context, job: &Job, file: File, kind: &str) -> Result<(), ArtefactError> {
    let head = UploadHead {
        job_id: job.id.clone(),
        epoch: job.epoch,
        kind: kind.to_owned(),
        ..UploadHead::default()
    };
    let artefact = Artefact::of_file(file, head).await?;
    upload(&context.wire, &artefact).await.map(|_| ())
}

/// An error with its causes, as one sentence.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
