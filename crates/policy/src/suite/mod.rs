//! Tests of policies, run as `opa test` runs them.
//!
//! A test is a rule whose name begins with `test_`; it passes when its value is `true`. Tests of
//! one folder are loaded together with everything in it, JSON and YAML files included.

mod adapt;
mod units;

use std::time::Duration;

use regorus::Value;
use serde::{Deserialize, Serialize};

use crate::Problem;
use crate::builtins::{Calls, Circumstances};
use crate::evaluate::limit_time;
use crate::group::Watch;
use crate::rego::bundle::{Bundle, Loaded};
use crate::rego::dialect::Dialect;
use crate::rego::source::SourceFile;
use crate::rego::{fault, path};

pub use units::{TestUnit, units};

/// Longest text kept of what a test printed, in bytes.
const MAX_PRINTED: usize = 16 * 1024;

/// The tests of one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitReport {
    /// The unit's name: its folder.
    pub unit: String,
    pub tests: Vec<TestResult>,
    /// Files that don't parse, calls of what isn't there; an error among them fails the unit.
    pub problems: Vec<Problem>,
}

/// How one test ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestResult {
    /// `data.terraform.test_tags`.
    pub name: String,
    /// Where it stands.
    pub file: String,
    pub line: u32,
    pub outcome: TestOutcome,
    /// What it printed, or the error that ended it.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub output: String,
}

/// Passed, failed, or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestOutcome {
    Passed,
    Failed,
    /// It could not be evaluated to an end. It counts as failed.
    Errored,
    /// Its name begins with `todo_test_`.
    Skipped,
}

impl UnitReport {
    /// How many tests passed, and how many didn't. A file that can't be loaded counts as one that
    /// didn't.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let count = |wanted: fn(TestOutcome) -> bool| {
            self.tests
                .iter()
                .filter(|test| wanted(test.outcome))
                .count()
        };
        let broken = self
            .problems
            .iter()
            .filter(|problem| problem.is_error())
            .count();
        (
            count(|it| it == TestOutcome::Passed),
            count(|it| matches!(it, TestOutcome::Failed | TestOutcome::Errored)) + broken,
        )
    }
}

/// Runs the tests of a unit in this process. With sources of others, do it in a [`crate::worker`].
#[must_use]
pub fn run(
    unit: &TestUnit,
    dialect: Dialect,
    around: Circumstances,
    limit: Duration,
) -> UnitReport {
    struct Unwatched;
    impl Watch for Unwatched {
        fn begin(&mut self, _item: &str) -> Result<(), String> {
            Ok(())
        }
    }
    run_watched(unit, dialect, around, limit, &mut Unwatched)
}

pub(crate) fn run_watched(
    unit: &TestUnit,
    dialect: Dialect,
    around: Circumstances,
    limit: Duration,
    watch: &mut impl Watch,
) -> UnitReport {
    let mut report = UnitReport {
        unit: unit.name.clone(),
        ..UnitReport::default()
    };
    let mut modules = Vec::new();
    for file in &unit.files {
        let loaded = match watch.begin(&format!("{}: file {}", unit.name, file.path)) {
            Ok(()) => Loaded::of(file, dialect),
            Err(reason) => Loaded::broken(file, Problem::of_file(&file.path, reason, "")),
        };
        match loaded {
            Loaded::Sound(module) => modules.push(module),
            Loaded::Broken { problem, .. } => report.problems.push(problem),
        }
    }
    if !report.problems.is_empty() {
        return report;
    }
    let adapted = adapt::modules(&modules);
    let bundle = Bundle {
        modules: adapted.modules,
        problems: Vec::new(),
    };
    // A call that can't be had may be replaced by the test with `with`: it is worth a word only.
    let calls = bundle.check_calls();
    report
        .problems
        .extend(calls.into_iter().map(Problem::warning));
    let engine = bundle.engine(around).and_then(|(mut engine, refused)| {
        limit_time(&mut engine, limit);
        for (file, data) in &unit.data {
            engine
                .add_data(Value::from(data.clone()))
                .map_err(|error| fault::problem(file, &error))?;
        }
        engine.set_input(Value::Undefined);
        Ok((engine, refused))
    });
    let (engine, refused) = match engine {
        Ok(made) => made,
        Err(problem) => {
            report.problems.push(problem);
            return report;
        }
    };
    for test in adapted.tests {
        let begun = watch.begin(&format!("{}: test {}", unit.name, test.name));
        let (outcome, output) = match begun {
            _ if test.skipped => (TestOutcome::Skipped, String::new()),
            Ok(()) => one(engine.clone(), &refused, &test.rule),
            Err(reason) => (TestOutcome::Errored, reason),
        };
        report.tests.push(TestResult {
            name: test.name,
            file: test.file,
            line: test.line,
            outcome,
            output,
        });
    }
    report
}

fn one(mut engine: regorus::Engine, refused: &Calls, rule: &[String]) -> (TestOutcome, String) {
    refused.clear();
    let answer = engine.eval_rule(path::data(rule));
    let mut output = engine.take_prints().unwrap_or_default().join("\n");
    let outcome = match answer {
        Ok(Value::Bool(true)) => TestOutcome::Passed,
        // Cases by name: `test_sizes[name] if { … }`.
        Ok(Value::Object(cases))
            if cases.iter().next().is_some()
                && cases.iter().all(|(_, case)| *case == Value::Bool(true)) =>
        {
            TestOutcome::Passed
        }
        Ok(_) => TestOutcome::Failed,
        Err(error) => {
            if !output.is_empty() {
                output.push('\n');
            }
            output.push_str(&fault::problem("", &error).to_string());
            TestOutcome::Errored
        }
    };
    if let (Some(name), TestOutcome::Passed) = (refused.first(), outcome) {
        return (
            TestOutcome::Errored,
            format!("`{name}` was called: replace it in the test with `with {name} as …`"),
        );
    }
    if output.len() > MAX_PRINTED {
        let end = (0..=MAX_PRINTED)
            .rev()
            .find(|&at| output.is_char_boundary(at));
        output.truncate(end.unwrap_or(0));
    }
    (outcome, output)
}

/// The JSON and YAML files of a folder as one document each, placed as `opa` places them: what lies
/// in a folder below goes under the folder's name.
///
/// # Errors
/// When a file can't be parsed.
pub(crate) fn document(file: &SourceFile) -> Result<serde_json::Value, Problem> {
    let value: serde_json::Value = if file.path.ends_with(".json") {
        serde_json::from_str(&file.text).map_err(|error| {
            Problem::of_file(&file.path, error.to_string(), "mend the JSON at this place").at(
                u32::try_from(error.line()).unwrap_or(u32::MAX),
                u32::try_from(error.column()).unwrap_or(u32::MAX),
            )
        })?
    } else {
        Value::from_yaml_str(&file.text)
            .and_then(|value| Ok(serde_json::to_value(value)?))
            .map_err(|error| Problem::of_file(&file.path, error.to_string(), "mend the YAML"))?
    };
    let folders = file.folder().split('/').filter(|part| !part.is_empty());
    Ok(folders.rev().fold(value, |inner, folder| {
        serde_json::Value::Object([(folder.to_owned(), inner)].into_iter().collect())
    }))
}

#[cfg(test)]
mod tests;
