//! `terrane audit verify FILE`.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::audit::{VerifyError, verify};
use crate::cli::failure::Failure;
use crate::cli::say;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// An export as JSON lines, without filters; `-` reads it from stdin.
    file: PathBuf,
    /// The hash that the last record must have, as the API's `audit-chain` tells it or the header
    /// `terrane-audit-hash` of the export: finds out whether the end was cut off.
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path)
        .map_err(|error| Failure::failed(&format!("{} can't be read", path.display()), error))?;
    Ok(Box::new(BufReader::new(file)))
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let proof = verify(&mut open(&arguments.file)?).map_err(|error| match error {
        VerifyError::Broken(_) => Failure::new(error.to_string()),
        VerifyError::Read(_) | VerifyError::Empty => {
            Failure::failed(&arguments.file.display().to_string(), error)
        }
    })?;
    if let Some(head) = &arguments.head
        && !head.eq_ignore_ascii_case(&proof.hash)
    {
        return Err(Failure::new(format!(
            "the last record has the sequence {} and the hash {}, not {head}: records at the end are \
             missing, or the chain is another one",
            proof.last, proof.hash
        )));
    }
    say::result(&format!(
        "{} records of {}, sequence {} to {}, are as they were sealed",
        proof.records, proof.account, proof.first, proof.last
    ));
    say::result(&format!("hash of the last: {}", proof.hash));
    if arguments.head.is_none() {
        say::note(
            "compare that with the chain's end that the API tells (GET /api/v2/audit-chain), or give \
             --head: a file alone can't tell whether its end was cut off",
        );
    }
    Ok(ExitCode::SUCCESS)
}
