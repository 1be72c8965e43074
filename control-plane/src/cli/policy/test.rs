//! `terrane policy test DIR…`: like `opa test`, with the engine that the gate uses.

use std::path::PathBuf;
use std::process::ExitCode;

use ::policy::suite::{TestOutcome, UnitReport, units};
use ::policy::{Problem, Severity};
use clap::Args;

use super::super::installation::policy_worker;
use super::{DialectOption, files, now};
use crate::cli::failure::Failure;
use crate::cli::say;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Directories with policies and tests.
    #[arg(required = true, value_name = "DIR")]
    directories: Vec<PathBuf>,
    #[command(flatten)]
    dialect: DialectOption,
    /// A folder of common functions that is loaded beside each directory.
    #[arg(long, value_name = "DIR")]
    common: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let worker = policy_worker();
    let common = match &arguments.common {
        Some(directory) => files::below(directory)?,
        None => Vec::new(),
    };
    let (mut passed, mut failed) = (0, 0);
    for directory in &arguments.directories {
        let shown = directory.display().to_string();
        let units = match units(&files::below(directory)?, &common) {
            Ok(units) => units,
            Err(problems) => {
                failed += problems.len();
                for problem in &problems {
                    say::result(&format!("ERROR {shown}/{problem}"));
                }
                continue;
            }
        };
        let reports = worker
            .test(units, arguments.dialect.dialect, now())
            .map_err(|error| Failure::failed(&format!("{shown} can't be tested"), error))?;
        for report in &reports {
            let (good, bad) = report.counts();
            passed += good;
            failed += bad;
            show(&shown, report, (good, bad));
        }
    }
    if passed + failed == 0 {
        say::note("no tests found: tests are rules whose names begin with test_");
    }
    say::result(&format!("{passed} passed, {failed} failed"));
    Ok(ExitCode::from(u8::from(failed > 0)))
}

/// One line for a unit that is fine, and each test that isn't.
fn show(directory: &str, report: &UnitReport, (good, bad): (usize, usize)) {
    let unit = match report.unit.as_str() {
        "" => directory.to_owned(),
        unit => format!("{}/{unit}", directory.trim_end_matches('/')),
    };
    if good + bad > 0 {
        say::result(&format!("{unit}: {good} passed, {bad} failed"));
    }
    for problem in &report.problems {
        say_problem(problem);
    }
    for test in &report.tests {
        let word = match test.outcome {
            TestOutcome::Passed => continue,
            TestOutcome::Failed => "FAIL",
            TestOutcome::Errored => "ERROR",
            TestOutcome::Skipped => "SKIPPED",
        };
        say::result(&format!(
            "  {word} {} ({}:{})",
            test.name, test.file, test.line
        ));
        for line in test.output.lines() {
            say::result(&format!("    {line}"));
        }
    }
}

fn say_problem(problem: &Problem) {
    let word = match problem.severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
    };
    say::result(&format!("  {word} {problem}"));
}
