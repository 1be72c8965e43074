//! `terrane migrate`.

use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::installation;
use super::say;
use super::serve::ConfigFile;
use crate::schema::MIGRATOR;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) async fn migrate(arguments: Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.config.load()?;
    telemetry::logs::init(config.log.format, &config.log.filter)?;
    let db = installation::connect(&config).await?;
    db.migrate(&MIGRATOR)
        .await
        .map_err(|error| Failure::failed("the migration failed", error))?;
    db.close().await;
    say::note("the schema is up to date");
    Ok(ExitCode::SUCCESS)
}
