//! The default image for jobs, made without a registry: busybox, CA certificates, a user.
//!
//! terraform and the supervisor aren't in it; the runner mounts both read-only into any image. Where
//! the terraform at hand is no static binary, the loader and libraries it needs are put in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{found_on_path, run};

/// The name that the runner looks for unless it is told another.
pub const DEFAULT_TAG: &str = "terrane-job:latest";
/// User and group of jobs.
const UID: u32 = 65532;
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Whether a Docker daemon answers.
pub fn docker_answers() -> bool {
    let mut docker = Command::new("docker");
    docker.args(["version", "--format", "{{.Server.Version}}"]);
    docker.stdout(Stdio::null()).stderr(Stdio::null());
    docker.status().is_ok_and(|status| status.success())
}

/// Whether the daemon has this image.
pub fn exists(tag: &str) -> bool {
    let mut docker = Command::new("docker");
    docker
        .args(["image", "inspect", tag])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    docker.status().is_ok_and(|status| status.success())
}

/// Builds the image and gives it to the daemon. `programs` that aren't static bring their libraries.
///
/// # Errors
/// When busybox (static), the CA bundle or the daemon is missing.
pub fn build(tag: &str, programs: &[&Path]) -> Result<()> {
    let busybox = found_on_path("busybox").context("install busybox-static")?;
    let root = tempfile::tempdir()?;
    let tree = root.path();
    for directory in [
        "bin",
        "etc/ssl/certs",
        "usr/local/bin",
        "proc",
        "sys",
        "dev",
        "run",
        "var",
    ] {
        std::fs::create_dir_all(tree.join(directory))?;
    }
    for directory in ["tmp", "var/tmp", "job", "home/runner"] {
        std::fs::create_dir_all(tree.join(directory))?;
        open_to_all(&tree.join(directory))?;
    }
    install_busybox(&busybox, tree)?;
    std::fs::copy(CERTIFICATES, tree.join(&CERTIFICATES[1..]))
        .context("install ca-certificates")?;
    std::fs::write(
        tree.join("etc/passwd"),
        format!(
            "root:x:0:0:root:/root:/bin/sh\nrunner:x:{UID}:{UID}:runner:/home/runner:/bin/sh\n"
        ),
    )?;
    std::fs::write(
        tree.join("etc/group"),
        format!("root:x:0:\nrunner:x:{UID}:\n"),
    )?;
    for program in programs {
        install_libraries(program, tree)?;
    }
    import(tag, tree)
}

fn install_busybox(busybox: &Path, tree: &Path) -> Result<()> {
    let list = Command::new(busybox).arg("--list").output()?;
    std::fs::copy(busybox, tree.join("bin/busybox"))?;
    for applet in String::from_utf8_lossy(&list.stdout)
        .lines()
        .filter(|it| *it != "busybox")
    {
        std::os::unix::fs::symlink("busybox", tree.join("bin").join(applet))?;
    }
    Ok(())
}

/// What `ldd` names for a dynamic program; a static one has none.
fn install_libraries(program: &Path, tree: &Path) -> Result<()> {
    let Ok(output) = Command::new("ldd").arg(program).output() else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let libraries = text.split_whitespace().filter(|word| word.starts_with('/'));
    for library in libraries
        .map(PathBuf::from)
        .filter(|library| library.is_file())
    {
        let destination = tree.join(library.strip_prefix("/")?);
        if let Some(parent) = destination.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::copy(&library, &destination)?;
    }
    Ok(())
}

fn open_to_all(directory: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(
        directory,
        std::fs::Permissions::from_mode(0o1777),
    )?)
}

fn import(tag: &str, tree: &Path) -> Result<()> {
    let mut tar = Command::new("tar")
        .args(["--numeric-owner", "--owner=0", "--group=0", "-C"])
        .arg(tree)
        .args(["-c", "."])
        .stdout(Stdio::piped())
        .spawn()
        .context("starting tar")?;
    let archive = tar.stdout.take().context("tar has an output")?;
    let status = Command::new("docker")
        .args([
            "import",
            "-c",
            "ENV PATH=/usr/local/bin:/bin HOME=/home/runner",
        ])
        .args(["-c", &format!("ENV SSL_CERT_FILE={CERTIFICATES}")])
        .args(["-c", &format!("USER {UID}:{UID}"), "-c", "WORKDIR /job"])
        .args(["-c", "LABEL terrane.image=job", "-", tag])
        .stdin(archive)
        .stdout(Stdio::null())
        .status()
        .context("starting docker")?;
    let archived = tar.wait()?;
    if !status.success() || !archived.success() {
        bail!("docker import of {tag} failed: is the daemon running?");
    }
    Ok(())
}

/// Removes the image; tests clean up after themselves.
///
/// # Errors
/// When the daemon refuses.
pub fn remove(tag: &str) -> Result<()> {
    run(Command::new("docker").args(["image", "rm", "--force", tag]))
}
