//! `test`: everything the tests need, then every test.
//!
//! Runs cargo-nextest where it is installed, else `cargo test`. Ends with the slowest tests, what
//! was skipped and why, what passed at a second try only, and one line of counts.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use workshop::{Tree, found_on_path, image, product, provider, run as run_command, terraform};

use crate::needs;

/// How many of the slowest tests are named.
const SLOWEST: usize = 15;

pub(crate) fn run(tree: &Tree, filters: &[String]) -> Result<()> {
    let supervisor = prepare(tree)?;
    let skips = tree.tools().join("skipped.txt");
    let _ = std::fs::remove_file(&skips);
    let started = Instant::now();
    let outcome = if found_on_path("cargo-nextest").is_some() {
        nextest(tree, filters, &skips, &supervisor)?
    } else {
        eprintln!("cargo-nextest is not installed: using cargo test");
        cargo_test(tree, filters, &skips, &supervisor)?
    };
    report(&outcome, &skips, started.elapsed().as_secs_f64())
}

/// Makes what tests start but cargo doesn't build for them.
///
/// Gives the static supervisor: tests must not use the one beside the runner, which cargo builds
/// dynamically and which no container can start.
fn prepare(tree: &Tree) -> Result<PathBuf> {
    needs::install()?;
    needs::docker(tree)?;
    let terraform = terraform::find_or_fetch(tree)?;
    eprintln!(
        "terraform {}: {}",
        terraform::version(&terraform)?,
        terraform.display()
    );
    if let Err(error) = provider::mirror(tree) {
        eprintln!("no test provider: {error:#}");
    }
    let supervisor = product::static_supervisor(tree)?;
    if image::docker_answers() && !image::exists(image::DEFAULT_TAG) {
        image::build(image::DEFAULT_TAG, &[&terraform])?;
    }
    let mut build = Command::new("cargo");
    build
        .args(["build", "--workspace", "--all-targets"])
        .current_dir(&tree.root);
    run_command(&mut build)?;
    Ok(supervisor)
}

#[derive(Default)]
struct Outcome {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// Seconds and name.
    times: Vec<(f64, String)>,
    /// Names of those that failed and then passed.
    flaky: Vec<String>,
}

fn nextest(tree: &Tree, filters: &[String], skips: &Path, supervisor: &Path) -> Result<Outcome> {
    // nextest keeps its reports in the workspace, wherever cargo's target folder is.
    let junit = tree.root.join("target/nextest/default/junit.xml");
    let _ = std::fs::remove_file(&junit);
    let mut tests = Command::new("cargo");
    tests
        .args(["nextest", "run", "--workspace", "--no-fail-fast"])
        .args(filters);
    tests
        .current_dir(&tree.root)
        .env("TERRANE_SKIPS", skips)
        .env("TERRANE_RUNNER_SUPERVISOR", supervisor);
    let status = tests.status().context("starting cargo nextest")?;
    let report = std::fs::read_to_string(&junit)
        .with_context(|| format!("nextest ended with {status} and wrote no report"))?;
    let outcome = read_junit(&report);
    if !status.success() && outcome.failed == 0 {
        bail!("nextest ended with {status}");
    }
    Ok(outcome)
}

/// nextest writes one `<testcase name= classname= … time=>` a line; a failed one has a `<failure`,
/// one that passed after that a `<flakyFailure`.
fn read_junit(report: &str) -> Outcome {
    let mut outcome = Outcome::default();
    for case in report.split("<testcase ").skip(1) {
        let attribute = |name: &str| {
            let (_, rest) = case.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value)
        };
        let name = format!(
            "{} {}",
            attribute("classname").unwrap_or_default(),
            case.split('"').nth(1).unwrap_or_default()
        );
        let seconds = attribute("time")
            .and_then(|it| it.parse().ok())
            .unwrap_or_default();
        let own = case.split("</testcase>").next().unwrap_or_default();
        if own.contains("<failure") || own.contains("<error") {
            outcome.failed += 1;
        } else {
            outcome.passed += 1;
            if own.contains("<flakyFailure") || own.contains("<flakyError") {
                outcome.flaky.push(name.clone());
            }
        }
        outcome.times.push((seconds, name));
    }
    outcome
}

fn cargo_test(tree: &Tree, filters: &[String], skips: &Path, supervisor: &Path) -> Result<Outcome> {
    let mut tests = Command::new("cargo");
    tests
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(filters);
    tests
        .current_dir(&tree.root)
        .env("TERRANE_SKIPS", skips)
        .env("TERRANE_RUNNER_SUPERVISOR", supervisor)
        .stdout(Stdio::piped());
    let mut child = tests.spawn().context("starting cargo test")?;
    let mut outcome = Outcome::default();
    for line in BufReader::new(child.stdout.take().context("piped above")?).lines() {
        let line = line?;
        eprintln!("{line}");
        if let Some(counts) = line.strip_prefix("test result: ") {
            let number = |word: &str| {
                let before = counts.split(word).next().unwrap_or_default();
                before
                    .trim_end()
                    .rsplit(' ')
                    .next()
                    .and_then(|it| it.parse().ok())
                    .unwrap_or(0_u64)
            };
            outcome.passed += number("passed");
            outcome.failed += number("failed");
            outcome.ignored += number("ignored");
        }
    }
    let status = child.wait()?;
    if !status.success() && outcome.failed == 0 {
        bail!("cargo test ended with {status}");
    }
    Ok(outcome)
}

fn report(outcome: &Outcome, skips: &Path, seconds: f64) -> Result<()> {
    let mut times: Vec<_> = outcome.times.iter().collect();
    times.sort_by(|a, b| b.0.total_cmp(&a.0));
    if !times.is_empty() {
        eprintln!("\nSlowest tests:");
    }
    for (seconds, name) in times.into_iter().take(SLOWEST) {
        eprintln!("  {seconds:8.2}s  {name}");
    }
    let skipped = std::fs::read_to_string(skips).unwrap_or_default();
    let mut skipped: Vec<_> = skipped.lines().collect();
    skipped.sort_unstable();
    skipped.dedup();
    for line in &skipped {
        eprintln!("{line}");
    }
    for name in &outcome.flaky {
        eprintln!("flaky: {name}");
    }
    let Outcome {
        passed,
        failed,
        ignored,
        ..
    } = outcome;
    // A test that skips itself has passed as far as the harness knows.
    let passed = passed.saturating_sub(skipped.len() as u64);
    let skipped = ignored + skipped.len() as u64;
    let failures = if *failed > 0 {
        format!("{failed} failed, ")
    } else {
        String::new()
    };
    eprintln!(
        "     Summary [{seconds:8.3}s] {} tests run: {passed} passed, {failures}{skipped} skipped",
        passed + failed
    );
    if *failed > 0 {
        bail!("{failed} tests failed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_from_the_report() {
        let outcome = read_junit(
            r#"<testsuite><testcase name="a::b" classname="crate" timestamp="t" time="1.5">
            </testcase><testcase name="c" classname="crate" time="0.1"><failure type="x"/></testcase>
            <testcase name="d" classname="crate" time="2"><flakyFailure time="1" type="x">no
            </flakyFailure></testcase>
            <testcase name="e" classname="crate" time="0.1"><failure type="x"/>
            <rerunFailure time="1" type="x"/></testcase></testsuite>"#,
        );
        assert_eq!((outcome.passed, outcome.failed), (2, 2));
        assert_eq!(outcome.times[0], (1.5, "crate a::b".to_owned()));
        assert_eq!(outcome.flaky, ["crate d"]);
    }
}
