//! `terrane openapi`.

use std::process::ExitCode;

use super::failure::Failure;
use super::say;

pub(super) fn run() -> Result<ExitCode, Failure> {
    let document = crate::http::document()
        .to_pretty_json()
        .map_err(|error| Failure::failed("the document can't be written", error))?;
    say::result(&document);
    Ok(ExitCode::SUCCESS)
}
