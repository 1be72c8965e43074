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
const BENCHMARKS: &[(&str, &str)] = &[
    ("queue", "bench-queue"),
    ("overhead", "bench-overhead"),
    ("state", "bench-state"),
    ("logs", "bench-logs"),
    ("login", "bench-login"),
    ("idle", "bench-idle"),
    ("restart", "bench-restart"),
    ("policy", "bench-policy"),
    ("impact", "bench-impact"),
    ("cost", "bench-cost"),
    ("audit", "bench-audit"),
    ("access", "bench-access"),
];

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
        "--package",
        "supervisor",
    ]);
    build
        .args(["--package", "tests", "--features", "tests/bench", "--bins"])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_benchmark_is_described_and_has_its_binary() {
        let root = Tree::here().root;
        let text = std::fs::read_to_string(root.join("docs/benchmarks.md")).unwrap();
        for (name, binary) in BENCHMARKS {
            let heading = format!("\n## `{name}`");
            let (_, section) = text
                .split_once(&heading)
                .unwrap_or_else(|| panic!("docs/benchmarks.md has no paragraph {name}"));
            let section = section.split("\n## ").next().unwrap_or_default();
            assert!(
                section.trim().len() > 100,
                "docs/benchmarks.md says nothing about {name}"
            );
            let source = root.join(format!("tests/src/bin/{binary}.rs"));
            assert!(source.is_file(), "{} is missing", source.display());
        }
    }
}
