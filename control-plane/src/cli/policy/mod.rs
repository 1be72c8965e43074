//! `terrane policy`: authors try their policies before they push them.
//!
//! `test` and `eval` work on files, offline, and in the same worker that the gate uses: what passes
//! here passes there. `impact` asks a control plane, which has the runs.

mod eval;
mod files;
mod impact;
mod impact_show;
mod test;

use std::process::ExitCode;

use ::policy::{Circumstances, Dialect};
use clap::{Args, Subcommand};

use super::failure::Failure;
use crate::clock::Clock;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the tests of policies (`*_test.rego`), one directory at a time.
    Test(test::Arguments),
    /// Evaluates a group of policies on one input.
    Eval(eval::Arguments),
    /// Says what the policies in a directory would change for the runs that were planned last,
    /// without putting them in force. Exit code 2: something that passes now would fail.
    Impact(impact::Arguments),
}

/// How the sources are to be read.
#[derive(Debug, Args)]
struct DialectOption {
    /// v0, v1, or auto: each file as v1 if it parses so, else as v0.
    #[arg(long, default_value = "auto")]
    dialect: Dialect,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.command {
        Command::Test(arguments) => test::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Impact(arguments) => {
            tokio::runtime::Handle::current().block_on(Box::pin(impact::run(&arguments)))
        }
    }
}

/// The time that policies are told.
fn now() -> Circumstances {
    let now = Clock::System.now();
    Circumstances {
        now_ns: now.timestamp_nanos_opt().unwrap_or_default(),
    }
}
