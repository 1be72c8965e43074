//! The product's own binaries, where tests and demo find them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{Lock, Tree, run};

/// The control plane, the runner, and the supervisor that the runner installs beside each step.
pub const BINARIES: [&str; 3] = ["terrane", "terrane-runner", "terrane-supervisor"];

/// Builds what [`BINARIES`] names into the target directory: the first two for this machine, the
/// supervisor statically, because it runs inside any image.
///
/// # Errors
/// When one doesn't build.
pub fn build(tree: &Tree) -> Result<PathBuf> {
    let mut cargo = cargo(tree);
    cargo.args([
        "build",
        "--package",
        "control-plane",
        "--package",
        "runner",
        "--bins",
    ]);
    run(&mut cargo).context("building the control plane and the runner")?;
    supervisor(tree)?;
    Ok(tree.binaries())
}

/// Builds the static supervisor and puts it beside the other binaries.
///
/// # Errors
/// When it doesn't build.
pub fn supervisor(tree: &Tree) -> Result<PathBuf> {
    let built = static_supervisor(tree)?;
    let _lock = Lock::take(&tree.tools(), "supervisor")?;
    let installed = tree.binaries().join("terrane-supervisor");
    std::fs::create_dir_all(tree.binaries())?;
    let temporary = installed.with_extension("new");
    std::fs::copy(&built, &temporary)?;
    std::fs::rename(&temporary, &installed)?;
    Ok(installed)
}

/// Builds the static supervisor and says where it is. The one beside the other binaries is replaced
/// by a dynamic one whenever cargo builds the workspace; this one stays.
///
/// # Errors
/// When it doesn't build.
pub fn static_supervisor(tree: &Tree) -> Result<PathBuf> {
    let _lock = Lock::take(&tree.tools(), "supervisor")?;
    static_build(tree, "terrane-supervisor", |cargo| {
        cargo.args(["--package", "supervisor"]);
    })
}

/// Builds one binary without any shared library, in a target directory of its own, so that its
/// flags don't rebuild everything else.
pub(crate) fn static_build(
    tree: &Tree,
    binary: &str,
    select: impl FnOnce(&mut Command),
) -> Result<PathBuf> {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let target = tree.tools().join("static");
    let mut cargo = cargo(tree);
    cargo.args(["build", "--bin", binary, "--target", &triple]);
    select(&mut cargo);
    cargo
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", "-C target-feature=+crt-static");
    run(&mut cargo)?;
    let built = target.join(triple).join("debug").join(binary);
    if !built.is_file() {
        bail!("cargo built no {}", built.display());
    }
    Ok(built)
}

/// Cargo as it runs this tool, or as it is found.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo's own variable; tools have no configuration"
)]
fn cargo(tree: &Tree) -> Command {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut cargo = Command::new(program);
    cargo
        .current_dir(&tree.root)
        .env("CARGO_TARGET_DIR", &tree.target);
    cargo
}
