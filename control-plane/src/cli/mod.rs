//! The commands of `terrane`.
//!
//! A command reads its arguments, calls what it is about, and says the result. stdout carries what
//! was asked for; everything else (logs, notes, errors) goes to stderr. Exit codes: 0 done, 1
//! failed, 2 a mistake on the command line, 64 a mistake in the configuration.

mod admin;
mod audit;
mod backup;
mod client;
mod cost;
mod database;
mod dev;
mod doctor;
mod failure;
mod gateway_metrics;
mod installation;
mod keys;
mod openapi;
mod place;
mod policy;
mod pricebook;
mod process;
mod root_key;
mod say;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Runs Terraform for an organisation: state, runs, and runners that only dial out.
#[derive(Debug, Parser)]
#[command(name = "terrane", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything behind one command, for one person on one machine.
    Dev(dev::Arguments),
    /// Runs a control plane in production.
    Serve(serve::Arguments),
    /// Brings the database's schema up to date, and ends. `serve` does it by itself at its start.
    Migrate(database::Arguments),
    /// Makes accounts usable: users and passwords.
    Admin(admin::Arguments),
    /// New keys for what is written from now on.
    Keys(keys::Arguments),
    /// Exports the audit log, and proves that an export is as it was written.
    Audit(audit::Arguments),
    /// Copies everything, while control planes serve.
    Backup(backup::BackupArguments),
    /// Puts a backup into a new, empty installation.
    Restore(backup::RestoreArguments),
    /// Checks everything that an installation needs, and says what to do about what is missing.
    Doctor(doctor::Arguments),
    /// Says what a plan costs, from files alone.
    Cost(cost::Arguments),
    /// Makes price books from the public lists of the clouds.
    Pricebook(pricebook::Arguments),
    /// Prints the OpenAPI document of the public API.
    Openapi,
    /// Tests and evaluates policies on files, before they are pushed.
    Policy(policy::Arguments),
    /// Evaluates what its stdin says, within hard limits. Started by the other commands only.
    #[command(name = ::policy::worker::ARGUMENT, hide = true)]
    PolicyWorker,
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let line = CommandLine::parse();
    // Before anything else: a worker limits its own process for good.
    if matches!(line.command, Command::PolicyWorker) {
        return ::policy::worker::serve();
    }
    telemetry::panics::install_hook();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Failure::failed("the runtime can't be started", error).report(),
    };
    let result = runtime.block_on(Box::pin(run(line.command)));
    // What still reads from a slow disk must not hold up the end.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match result {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Dev(arguments) => dev::run(arguments).await,
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Migrate(arguments) => database::migrate(arguments).await,
        Command::Admin(arguments) => admin::run(arguments).await,
        Command::Keys(arguments) => keys::run(arguments).await,
        Command::Audit(arguments) => audit::run(arguments).await,
        Command::Backup(arguments) => backup::save(arguments).await,
        Command::Restore(arguments) => backup::restore(arguments).await,
        Command::Doctor(arguments) => doctor::run(arguments).await,
        Command::Cost(arguments) => cost::run(arguments),
        Command::Pricebook(arguments) => pricebook::run(arguments),
        Command::Openapi => openapi::run(),
        Command::Policy(arguments) => tokio::task::block_in_place(|| policy::run(arguments)),
        Command::PolicyWorker => Ok(::policy::worker::serve()),
    }
}
