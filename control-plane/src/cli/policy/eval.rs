//! `terrane policy eval --group DIR --input FILE`: what each policy of a group says.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::policy::worker::Evaluated;
use ::policy::{Effect, GroupSource, Outcome, Problem, Verdict};
use clap::Args;
use serde_json::{Map, Value, json};

use super::super::installation::policy_worker;
use super::{DialectOption, files, now};
use crate::cli::failure::Failure;
use crate::cli::say;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The directory of the group: where its manifest lies.
    #[arg(long, value_name = "DIR")]
    group: PathBuf,
    /// The input: {"tfplan": …, "tfrun": …}.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    #[command(flatten)]
    dialect: DialectOption,
    /// The folder of common functions.
    #[arg(long, value_name = "DIR")]
    common: Option<PathBuf>,
    /// A JSON object with the account's data documents: `data.account`.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// A JSON object with the parameters of a policy set: `data.parameters`.
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// Exit with 1 when a run would be stopped.
    #[arg(long)]
    fail: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let source = GroupSource {
        files: files::below(&arguments.group)?,
        common: match &arguments.common {
            Some(directory) => files::below(directory)?,
            None => Vec::new(),
        },
        dialect: arguments.dialect.dialect,
        account: object(arguments.data.as_deref())?,
        parameters: object(arguments.parameters.as_deref())?,
    };
    let input = files::read(&arguments.input)?;
    let evaluated = policy_worker()
        .evaluate(source, input.as_bytes(), now())
        .map_err(|error| Failure::failed("no verdict", error))?;
    if arguments.json {
        say::result(&document(&evaluated));
    } else {
        show(&evaluated);
    }
    let stopped = result(&evaluated.verdicts) >= Effect::AwaitOverride;
    Ok(ExitCode::from(u8::from(arguments.fail && stopped)))
}

fn object(file: Option<&Path>) -> Result<Map<String, Value>, Failure> {
    let Some(file) = file else {
        return Ok(Map::new());
    };
    serde_json::from_str(&files::read(file)?)
        .map_err(|error| Failure::failed(&format!("{} is no JSON object", file.display()), error))
}

/// What the verdicts together do to a run.
fn result(verdicts: &[Verdict]) -> Effect {
    verdicts
        .iter()
        .map(|verdict| verdict.effect(false))
        .max()
        .unwrap_or(Effect::Pass)
}

fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Pass => "passed",
        Effect::Warn => "advisory_failed",
        Effect::AwaitOverride => "soft_failed",
        Effect::Block => "hard_failed",
    }
}

fn document(evaluated: &Evaluated) -> String {
    let policies: Vec<Value> = evaluated
        .verdicts
        .iter()
        .map(|verdict| {
            let messages: Vec<&str> = verdict
                .messages
                .iter()
                .map(|denial| denial.message.as_str())
                .collect();
            json!({
                "name": verdict.policy,
                "enforcement_level": verdict.enforcement_level,
                "result": verdict.result(),
                "messages": messages,
                "denials": verdict.messages,
                "omitted": verdict.omitted,
                "error": verdict.error,
            })
        })
        .collect();
    let document = json!({
        "result": word(result(&evaluated.verdicts)),
        "policies": policies,
        "problems": evaluated.problems,
    });
    format!("{document:#}")
}

fn show(evaluated: &Evaluated) {
    for problem in &evaluated.problems {
        say_problem(problem);
    }
    for verdict in &evaluated.verdicts {
        let level = verdict.enforcement_level.as_str();
        let mark = match verdict.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::Errored => "ERROR",
        };
        say::result(&format!("{mark:<7} {} ({level})", verdict.policy));
        if let Some(error) = &verdict.error {
            say::result(&format!("        {error}"));
        }
        for denial in &verdict.messages {
            say::result(&format!("        - {}", denial.message));
        }
        if verdict.omitted > 0 {
            say::result(&format!("        … and {} more", verdict.omitted));
        }
    }
    let said = match result(&evaluated.verdicts) {
        Effect::Pass => "the run would pass",
        Effect::Warn => "the run would pass, with warnings",
        Effect::AwaitOverride => "the run would wait for an override",
        Effect::Block => "the run would be stopped",
    };
    say::result(said);
}

fn say_problem(problem: &Problem) {
    say::note(&format!("terrane: {problem}"));
}
