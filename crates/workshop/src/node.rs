//! Packages of the npm registry that tests run against: a real identity provider. Never shipped.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{Lock, Tree, found_on_path, run};

/// The folder in which `node` finds the package of this name and version.
///
/// # Errors
/// When it isn't there and can't be fetched; the message says what is missing.
pub fn find_or_fetch(tree: &Tree, name: &str, version: &str) -> Result<PathBuf> {
    let directory = tree.tools().join(format!("{name}-{version}"));
    let done = directory.join("fetched");
    let _lock = Lock::take(&tree.tools(), name)?;
    if done.exists() {
        return Ok(directory);
    }
    let npm = found_on_path("npm").context("npm is needed to fetch packages for tests")?;
    std::fs::create_dir_all(&directory)?;
    eprintln!("fetching {name}@{version} into {}", directory.display());
    run(Command::new(npm)
        .args(["install", "--ignore-scripts", "--no-audit", "--no-fund"])
        .args(["--prefix", ".", &format!("{name}@{version}")])
        .current_dir(&directory))
    .with_context(|| format!("{name} can't be fetched"))?;
    std::fs::write(&done, version)?;
    Ok(directory)
}
