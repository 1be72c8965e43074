//! `bench`: measurements, one JSON object a line.
//!
//! `{"name","value","unit","baseline","ratio"}`: `baseline` is the target or the same thing without
//! Terrane, `ratio` is value over baseline; both are null where there is nothing to compare with.
//! Each benchmark is a program of its own (a binary of the `tests` package named `bench-…`), so that
//! a measured process holds nothing but what is measured. docs/benchmarks.md says what each does.

use std::process::Command;

use anyhow::{Result, bail};
use workshop::{Tree, run as run_command};

/// Name, and the binary of the `tests` package that measures it.
const BENCHMARKS: &[(&str, &str)] = &[];

pub(crate) fn run(tree: &Tree, arguments: &[String]) -> Result<()> {
    let quick = arguments.iter().any(|it| it == "--quick");
    let only = arguments
        .iter()
        .position(|it| it == "--only")
        .map(|at| arguments.get(at + 1));
    let chosen: Vec<_> = match only {
        None => BENCHMARKS.iter().collect(),
        Some(name) => BENCHMARKS
            .iter()
            .filter(|(it, _)| name.is_some_and(|name| name == it))
            .collect(),
    };
    if chosen.is_empty() {
        let known: Vec<_> = BENCHMARKS.iter().map(|(name, _)| *name).collect();
        bail!("no such benchmark; known are: {}", known.join(", "));
    }
    let mut build = Command::new("cargo");
    build.args([
        "build",
        "--release",
        "--package",
        "control-plane",
        "--package",
        "runner",
    ]);
    build
        .args(["--package", "tests", "--bins"])
        .current_dir(&tree.root);
    run_command(&mut build)?;
    for (name, binary) in chosen {
        let mut measure = Command::new(tree.target.join("release").join(binary));
        measure
            .args(quick.then_some("--quick"))
            .env("TERRANE_BIN_DIR", tree.target.join("release"));
        if !measure.status()?.success() {
            bail!("the benchmark {name} failed");
        }
    }
    Ok(())
}
