//! `terrane backup` and `terrane restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::place::Place;
use super::{installation, say};
use crate::backup;
use crate::clock::Clock;

#[derive(Debug, Args)]
pub(super) struct BackupArguments {
    /// Where the backup goes: a directory that doesn't exist yet.
    directory: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// A directory that `terrane backup` has made.
    directory: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Read everything that was restored, as its readers will.
    #[arg(long)]
    verify: bool,
}

pub(super) async fn save(arguments: BackupArguments) -> Result<ExitCode, Failure> {
    let config = arguments.place.load()?;
    telemetry::logs::init(config.log.format, &config.log.filter)?;
    let ring = installation::keyring(&config)?;
    let blobs = installation::blobs(&config)?;
    let db = installation::connect(&config).await?;
    let now = Clock::System.now();
    let files = arguments.place.dev_files();
    let made = backup::save(&db, &blobs, &ring, files, &arguments.directory, now).await;
    db.close().await;
    let manifest = made.map_err(|error| Failure::failed("the backup failed", error))?;
    let rows: u64 = manifest.tables.iter().map(|table| table.lines - 1).sum();
    say::result(&format!(
        "{}: {rows} rows of {} tables, {} objects",
        arguments.directory.display(),
        manifest.tables.len(),
        manifest.objects.lines
    ));
    if let Some(files) = &manifest.files {
        say::note(&format!(
            "{} files of the data directory are in it, sealed under the installation key: the CA, \
             the administrator's password, the API token and the runners' join token.",
            files.lines
        ));
    }
    say::note(&format!(
        "The installation key {} is not part of it, and without that key nobody can read it: keep \
         a copy of the key in another place.",
        manifest.installation_key
    ));
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn restore(arguments: RestoreArguments) -> Result<ExitCode, Failure> {
    let config = arguments.place.load()?;
    telemetry::logs::init(config.log.format, &config.log.filter)?;
    // A backup that can't be read leaves no trace, not even an empty database.
    backup::Manifest::read(&arguments.directory).map_err(failed)?;
    let app = installation::open(&config, config.server.public_url.clone(), Clock::System).await?;
    let ring = installation::keyring(&config)?;
    let files = arguments.place.dev_files();
    let restored = backup::restore(&arguments.directory, &app.db, &app.blobs, &ring, files).await;
    let verified = match &restored {
        Ok(_) if arguments.verify => Some(backup::verify(&app).await),
        Ok(_) | Err(_) => None,
    };
    app.db.close().await;
    let manifest = restored.map_err(failed)?;
    let rows: u64 = manifest.tables.iter().map(|table| table.lines - 1).sum();
    say::result(&format!(
        "restored {rows} rows and {} objects, as of {}",
        manifest.objects.lines, manifest.made_at
    ));
    match (&manifest.files, files) {
        (Some(files), Some(_)) => say::note(&format!(
            "{} files of the data directory were restored",
            files.lines
        )),
        (Some(_), None) => say::note(
            "the backup holds files of a `terrane dev` data directory, which were not restored: an \
             installation with a configuration file has its own",
        ),
        (None, _) => {}
    }
    if let Some(verified) = verified {
        let verified = verified
            .map_err(|error| Failure::failed("restored, but not everything can be read", error))?;
        say::result(&format!(
            "verified {} objects, {} bytes",
            verified.objects, verified.bytes
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn failed(error: backup::BackupError) -> Failure {
    Failure::failed("the restore failed", error)
}
