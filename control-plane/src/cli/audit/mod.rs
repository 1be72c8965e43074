//! `terrane audit`: what an auditor needs.
//!
//! `verify` needs a file and nothing else, so that it can be done where nobody has access to the
//! installation. `export` asks a control plane.

mod export;
mod verify;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::failure::Failure;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Proves that the records of an export are as they were written, that none is missing and none
    /// was moved; names the first that is not. Offline. Exit code 1: something is broken.
    Verify(verify::Arguments),
    /// Exports the audit log of the account that the token is of.
    Export(export::Arguments),
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.command {
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Export(arguments) => export::run(&arguments).await,
    }
}
