//! `terrane serve`: a control plane in production.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::process::{self, Process};
use super::{installation, say};
use crate::clock::Clock;
use crate::config::{Config, Layers};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) config: ConfigFile,
    /// Lists every mistake in the configuration, and ends: 0 if there is none, 64 if there are some.
    #[arg(long)]
    check_config: bool,
}

/// Where a command finds its configuration.
#[derive(Debug, Args)]
pub(super) struct ConfigFile {
    /// A TOML file; see docs/configuration.md. Every setting can also be given in the environment,
    /// as TERRANE__SECTION__KEY.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// # Errors
    /// Every mistake in file and environment.
    pub(super) fn load(&self) -> Result<Config, Failure> {
        let mut layers = Layers::new().environment(std::env::vars());
        if let Some(file) = &self.config {
            layers = layers.file(file);
        }
        Ok(Config::load(&layers)?)
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.config.load()?;
    if arguments.check_config {
        say::note("the configuration is in order");
        return Ok(ExitCode::SUCCESS);
    }
    telemetry::logs::init(config.log.format, &config.log.filter)?;
    let process = Process::bind(&config, Clock::System)?;
    let app = installation::open(&config, config.server.public_url.clone(), Clock::System).await?;
    let gateway = process::gateway(&config, &app).await?;
    let (public, runners) = (process.public_address(), gateway.local_address());
    let running = process.start(&config, &app, gateway, None).await?;
    tracing::info!(%public, gateway = %runners, url = %config.server.public_url, "serving");
    let ending = running.until_the_end(app).await;
    Ok(ending.exit_code().into())
}
