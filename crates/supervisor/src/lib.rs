//! Owns one step of a run: starts terraform, keeps every state it writes, cancels it gently, and
//! tells how it ended. Everything it says and is told goes through the files of [`step`].
//!
//! It survives the runner, runs as the first process of any image, and is therefore small, static
//! and without an async runtime: a few threads and a poll.

mod backend;
mod check;
mod claim;
mod command;
mod disk;
mod escape;
mod journal;
mod kill;
mod ladder;
mod launch;
mod memory;
mod outcome;
mod output;
mod paths;
mod plan_size;
mod probe;
mod processes;
mod requests;
mod rescue;
mod sandbox;
mod signals;
mod states;
mod status;
mod supervise;

use std::path::Path;
use std::process::ExitCode;

/// Exit code when the step could not be begun, or the arguments make no sense.
const NOT_BEGUN: u8 = 2;

/// The whole program, given its arguments without its name.
#[must_use]
pub fn main(arguments: &[String]) -> ExitCode {
    match arguments {
        [argument] if argument == launch::ARGUMENT => exit_code(launch::run()),
        [argument, what @ ..] if argument == escape::TRY => exit_code(escape::attempt(what)),
        [argument, rest @ ..] if argument == "--probe" => probe::print(rest),
        [directory] if !directory.starts_with('-') => {
            match supervise::supervise(Path::new(directory)) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => {
                    eprintln!("terrane-supervisor: {directory}: {error}");
                    ExitCode::from(NOT_BEGUN)
                }
            }
        }
        _ => {
            eprintln!("usage: terrane-supervisor STEP_DIR | --probe [UID GID]");
            ExitCode::from(NOT_BEGUN)
        }
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}
