//! Running the machine's tools.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs a command to its end; its output goes to stderr, so that a tool's own stdout stays clean.
///
/// # Errors
/// When it can't be started or doesn't exit with 0.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(std::io::stderr());
    let status = command
        .status()
        .with_context(|| format!("starting {shown}"))?;
    if !status.success() {
        bail!("{shown} ended with {status}");
    }
    Ok(())
}

/// The program's path, if it can be found.
#[expect(clippy::disallowed_methods, reason = "looks where the shell looks")]
pub fn found_on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    directories
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}
