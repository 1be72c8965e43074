//! The one run that waits in a new installation, so that there is something to look at.
//!
//! It goes the way of any run: a workspace, a configuration version, an upload, a run, all through
//! the use cases that the API calls, in the name of `admin`.

use domain::run::RunSource;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::first_start::{self, ENVIRONMENT};
use crate::app::App;
use crate::cli::failure::{Failure, chain};
use crate::runs::configuration::{self, NewConfiguration};
use crate::runs::{self, NewRun};
use crate::workspaces::{self, NewWorkspace};

/// Not `hello`: that is the name in the example's own `cloud` block, and belongs to whoever tries
/// it from the command line.
const WORKSPACE: &str = "first-run";
const MESSAGE: &str = "The run that terrane dev queued at its first start";
const HELLO: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../examples/hello/main.tf"
));

/// Makes a workspace with the configuration of `examples/hello` and queues a run that is applied by
/// itself.
pub(super) async fn queue(app: &App) -> Result<(), Failure> {
    let ctx = first_start::as_admin(app).await?;
    let new = NewWorkspace {
        name: WORKSPACE.to_owned(),
        ..NewWorkspace::default()
    };
    let workspace = workspaces::create(app, &ctx, ENVIRONMENT, new)
        .await
        .map_err(|error| failed(&error))?;
    let new = NewConfiguration {
        speculative: false,
        provisional: false,
        auto_queue_runs: false,
        source: "tfe-api".to_owned(),
    };
    let version = configuration::create(app, &ctx, &workspace.id, new)
        .await
        .map_err(|error| failed(&error))?;
    let archive = archive().map_err(|error| failed(&error))?;
    configuration::upload(app, &ctx.tenant(), &version.id, archive.as_slice())
        .await
        .map_err(|error| failed(&error))?;
    let run = NewRun {
        configuration: Some(version.id),
        message: Some(MESSAGE.to_owned()),
        auto_apply: Some(true),
        ..NewRun::of(workspace.id, RunSource::Api)
    };
    runs::create(app, &ctx, run)
        .await
        .map_err(|error| failed(&error))?;
    Ok(())
}

fn archive() -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let mut header = tar::Header::new_gnu();
    header.set_size(HELLO.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "main.tf", HELLO.as_bytes())?;
    tar.into_inner()?.finish()
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(format!("the example can't be queued: {}", chain(error)))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_archive_holds_the_example() {
        let archive = archive().unwrap();
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive.as_slice()));
        let mut entry = tar.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.path().unwrap().to_str(), Some("main.tf"));
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert_eq!(text, HELLO);
    }
}
