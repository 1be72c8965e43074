//! `terrane policy impact --group ID (--path DIR | --ref NAME)`: a proposed revision against the runs
//! that were planned last.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{files, impact_show as show};
use crate::cli::client::{Client, Connection};
use crate::cli::failure::Failure;
use crate::cli::say;

/// How often is looked whether it has finished: soon at first, because most of it is known already.
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(3);
/// The exit code when something that passes now would fail.
const NEWLY_FAILING: u8 = 2;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The policy group.
    #[arg(long, value_name = "ID")]
    group: String,
    /// The directory with the proposed files, as the root of the group's archive or repository: a
    /// group with a folder needs the folder in it.
    #[arg(long, value_name = "DIR", required_unless_present = "reference")]
    path: Option<PathBuf>,
    /// In place of a directory: the branch, tag or commit of the group's repository that has them.
    #[arg(long = "ref", value_name = "NAME", conflicts_with = "path")]
    reference: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// How long to wait for the analysis.
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    timeout: u64,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// What changes, for a terminal.
    Table,
    /// One document with every field of the matrix.
    Json,
    /// Every field of the matrix.
    Csv,
}

pub(super) async fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let archive = arguments.path.as_deref().map(pack).transpose()?;
    let client = arguments.connection.client()?;
    let revision = propose(&client, arguments, archive).await?;
    let started = client
        .post(
            &format!("policy-groups/{}/impact-analyses", arguments.group),
            &json!({ "data": {
                "type": "impact-analyses",
                "relationships": { "revision": {
                    "data": { "type": "policy-revisions", "id": revision },
                } },
            } }),
        )
        .await?;
    let id = text(&started["data"]["id"])?;
    let limit = Duration::from_secs(arguments.timeout.saturating_mul(60));
    let analysis = wait(&client, &id, &revision, limit).await?;
    warn_of_tests(&client, &revision).await?;
    let attributes = &analysis["attributes"];
    if attributes["status"] == "errored" {
        let reason = attributes["error-message"].as_str().unwrap_or_default();
        return Err(Failure::new(format!(
            "the policies can't be analysed: {reason}"
        )));
    }
    match arguments.format {
        Format::Table => show::table(&client, &analysis).await?,
        Format::Json => show::document(&client, &analysis).await?,
        Format::Csv => show::csv(&client, &id).await?,
    }
    let worse = attributes["newly-failing-count"].as_u64().unwrap_or(0) > 0;
    Ok(ExitCode::from(if worse { NEWLY_FAILING } else { 0 }))
}

/// A tar.gz of everything in the directory that policies can be made of.
fn pack(directory: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| Failure::failed("the files can't be packed", error);
    let found = files::below(directory)?;
    if found.is_empty() {
        return Err(Failure::new(format!(
            "{} has no policies: name the directory with the manifest, or the root of the \
             repository",
            directory.display()
        )));
    }
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for file in found {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.text.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, &file.path, file.text.as_bytes())
            .map_err(failed)?;
    }
    archive
        .into_inner()
        .and_then(GzEncoder::finish)
        .map_err(failed)
}

/// Makes a revision that is not to be put in force, of the archive or else of the reference; its id.
async fn propose(
    client: &Client,
    arguments: &Arguments,
    archive: Option<Vec<u8>>,
) -> Result<String, Failure> {
    let announced = client
        .post(
            &format!("policy-groups/{}/revisions", arguments.group),
            &json!({ "data": { "type": "policy-revisions", "attributes": {
                "proposed": true, "reference": arguments.reference,
            } } }),
        )
        .await?;
    let revision = &announced["data"];
    if let Some(archive) = archive {
        let url = text(&revision["attributes"]["upload-url"])?;
        client.upload(&url, archive).await?;
    }
    text(&revision["id"])
}

fn text(value: &Value) -> Result<String, Failure> {
    value.as_str().map(str::to_owned).ok_or_else(|| {
        Failure::new("the control plane's answer can't be understood; is it of this version?")
    })
}

async fn wait(
    client: &Client,
    id: &str,
    revision: &str,
    limit: Duration,
) -> Result<Value, Failure> {
    let began = Instant::now();
    let mut pause = SHORTEST;
    let mut said = String::new();
    loop {
        let mut answer = client.get(&format!("impact-analyses/{id}")).await?;
        let attributes = &answer["data"]["attributes"];
        match attributes["status"].as_str() {
            Some("finished" | "errored") => return Ok(answer["data"].take()),
            _ if began.elapsed() > limit => {
                return Err(Failure::new(format!(
                    "{id} has not finished in {} minutes; it goes on, look at it later",
                    limit.as_secs() / 60
                )));
            }
            _ => {}
        }
        let (done, all) = (&attributes["judged-run-count"], &attributes["run-count"]);
        let progress = if all.as_u64() > Some(0) {
            format!("{done} of {all} runs")
        } else {
            what_keeps(client, revision).await?
        };
        if progress != said && !progress.is_empty() {
            say::note(&progress);
        }
        said = progress;
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// What the fetch of a revision waits for; empty if for nothing.
async fn what_keeps(client: &Client, revision: &str) -> Result<String, Failure> {
    let answer = client.get(&format!("policy-revisions/{revision}")).await?;
    let reason = &answer["data"]["attributes"]["wait-reason"]["detail"];
    Ok(reason.as_str().unwrap_or_default().to_owned())
}

/// Failing tests don't stop an analysis, but would keep the revision from being put in force.
async fn warn_of_tests(client: &Client, revision: &str) -> Result<(), Failure> {
    let answer = client.get(&format!("policy-revisions/{revision}")).await?;
    let attributes = &answer["data"]["attributes"];
    if attributes["status"] == "failing-tests" {
        let reason = attributes["error-message"].as_str().unwrap_or_default();
        say::note(&format!("the revision would not be put in force: {reason}"));
    }
    Ok(())
}
