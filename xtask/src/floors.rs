//! `floors`: dependencies go down, and only down.
//!
//! Every manifest states its floor; an edge to a higher one is an error, whatever
//! its kind. Three walls are checked beyond that: the runner never reaches the database, policies or
//! a SQL driver, and the protocol never a SQL driver, with all features of their dependencies on.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand, Package};
use workshop::Tree;

use crate::lengths;

/// Package, and what it may never reach.
const WALLS: &[(&str, &[&str])] = &[
    (
        "runner",
        &[
            "db",
            "blob",
            "policy",
            "sqlx",
            "sqlx-core",
            "libsqlite3-sys",
        ],
    ),
    (
        "supervisor",
        &[
            "db",
            "blob",
            "policy",
            "sqlx",
            "sqlx-core",
            "libsqlite3-sys",
            "quinn",
        ],
    ),
    ("protocol", &["sqlx", "sqlx-core"]),
];

pub(crate) fn run(tree: &Tree, _: &[String]) -> Result<()> {
    let manifest = tree.root.join("Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()?;
    let mut problems = upward_edges(&metadata)?;
    problems.extend(breached_walls(tree, &metadata)?);
    problems.extend(lengths::check(tree)?);
    for problem in &problems {
        eprintln!("floors: {problem}");
    }
    match problems.len() {
        0 => Ok(()),
        count => bail!("{count} problems"),
    }
}

fn upward_edges(metadata: &Metadata) -> Result<Vec<String>> {
    let mut floors = BTreeMap::new();
    for package in metadata.workspace_packages() {
        floors.insert(package.name.as_str(), floor(package)?);
    }
    let mut problems = Vec::new();
    for package in metadata.workspace_packages() {
        let own = floors[package.name.as_str()];
        for dependency in &package.dependencies {
            let Some(other) = floors.get(dependency.name.as_str()) else {
                continue;
            };
            if *other > own {
                problems.push(format!(
                    "{} (floor {own}) depends on {} (floor {other}) as a {} dependency",
                    package.name, dependency.name, dependency.kind
                ));
            }
        }
    }
    Ok(problems)
}

fn floor(package: &Package) -> Result<u64> {
    package.metadata["floor"].as_u64().with_context(|| {
        format!(
            "{} states no [package.metadata] floor",
            package.manifest_path
        )
    })
}

fn breached_walls(tree: &Tree, metadata: &Metadata) -> Result<Vec<String>> {
    let members = metadata.workspace_packages();
    let mut problems = Vec::new();
    for (package, forbidden) in WALLS {
        if !members
            .iter()
            .any(|member| member.name.as_str() == *package)
        {
            continue;
        }
        let reached = reached_by(tree, package)?;
        for name in forbidden.iter().filter(|name| reached.contains(**name)) {
            problems.push(format!(
                "{package} reaches {name}: see `cargo tree -p {package} -e normal,build -i {name}`"
            ));
        }
    }
    Ok(problems)
}

fn reached_by(tree: &Tree, package: &str) -> Result<BTreeSet<String>> {
    let output = Command::new("cargo")
        .args([
            "tree",
            "--package",
            package,
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])
        .args(["--format", "{p}"])
        .current_dir(&tree.root)
        .output()?;
    if !output.status.success() {
        bail!(
            "cargo tree failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect())
}
