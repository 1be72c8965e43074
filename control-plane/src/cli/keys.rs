//! `terrane keys`: new keys for what is written from now on.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::place::Place;
use super::{installation, say};
use crate::clock::Clock;
use crate::tenancy;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Gives accounts a new data key, and moves all keys under the installation key that is
    /// configured now. Works while control planes serve; started again after a break it goes on.
    ///
    /// To change the installation key itself: configure the new one, the old one as
    /// keys.earlier_installation_key, restart every control plane, rotate, remove the old one.
    Rotate {
        /// The name of one account; without it, all. With it, nothing else is moved.
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
        #[command(flatten)]
        place: Place,
    },
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Command::Rotate { account, place } = arguments.command;
    let config = place.load()?;
    telemetry::logs::init(config.log.format, &config.log.filter)?;
    let app = installation::open(&config, config.server.public_url.clone(), Clock::System).await?;
    let rotated = rotate(&app, account.as_deref()).await;
    app.db.close().await;
    rotated.map(|()| ExitCode::SUCCESS)
}

async fn rotate(app: &crate::app::App, account: Option<&str>) -> Result<(), Failure> {
    let failed = |error| Failure::failed("the rotation failed; start it again", error);
    if account.is_none() {
        let moved = tenancy::rewrap_keys(app).await.map_err(failed)?;
        say::result(&format!(
            "{moved} keys and secrets were moved under the installation key {}",
            app.keys.installation().current()
        ));
    }
    let accounts = tenancy::rotate_account_keys(app, account)
        .await
        .map_err(failed)?;
    if let (0, Some(name)) = (accounts, account) {
        return Err(Failure::new(format!("there is no account {name}")));
    }
    say::result(&format!("{accounts} accounts seal with a new key"));
    Ok(())
}
