//! What tests and demo need of the machine, and how it gets there.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use workshop::{Tree, found_on_path, run};

/// A program, the Debian package that brings it, and what it is for.
struct Program {
    name: &'static str,
    package: &'static str,
    purpose: &'static str,
}

const fn program(name: &'static str, package: &'static str, purpose: &'static str) -> Program {
    Program {
        name,
        package,
        purpose,
    }
}

const PROGRAMS: &[Program] = &[
    program("cc", "build-essential", "compiles C parts of dependencies"),
    program(
        "protoc",
        "protobuf-compiler",
        "compiles the test provider's protocol",
    ),
    program("git", "git", "serves and fetches configurations"),
    program("sshd", "openssh-server", "serves repositories over SSH"),
    program("git-lfs", "git-lfs", "fetches files that Git LFS keeps"),
    program("pg_ctl", "postgresql", "the second database"),
    program("dockerd", "docker.io", "the docker executor"),
    program("bwrap", "bubblewrap", "the process sandbox"),
    program("ip", "iproute2", "network namespaces of the fault tests"),
    program("iptables", "iptables", "dropped packets of the fault tests"),
    program("nft", "nftables", "keeps jobs from the metadata address"),
    program("busybox", "busybox-static", "the image for jobs"),
    program("setpriv", "util-linux", "running as another user"),
    program("python3", "python3", "third-party API clients"),
    program("curl", "curl", "fetching terraform"),
    program("npm", "npm", "fetching an identity provider"),
];

/// Directories beyond PATH where a package puts its programs.
const ALSO_IN: &[&str] = &["/usr/lib/postgresql"];

/// Installs with apt what is missing, saying what and why.
///
/// Without root or apt it only says what is missing: the tests that need it then say so too.
pub(crate) fn install() -> Result<()> {
    let missing: Vec<&Program> = PROGRAMS.iter().filter(|it| !is_there(it.name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for it in &missing {
        eprintln!("missing: {} ({}), for: {}", it.name, it.package, it.purpose);
    }
    let mut packages: Vec<&str> = missing.iter().map(|it| it.package).collect();
    packages.dedup();
    if !is_root() || found_on_path("apt-get").is_none() {
        eprintln!(
            "not installing (no root, or no apt-get): install {}",
            packages.join(" ")
        );
        return Ok(());
    }
    eprintln!("installing with apt-get: {}", packages.join(" "));
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    run(Command::new("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(&packages)
        .env("DEBIAN_FRONTEND", "noninteractive"))
    .context("apt-get install failed")
}

fn is_there(name: &str) -> bool {
    let elsewhere = || {
        ALSO_IN
            .iter()
            .filter_map(|it| std::fs::read_dir(it).ok())
            .flatten()
            .flatten()
            .any(|it| it.path().join("bin").join(name).is_file())
    };
    found_on_path(name).is_some() || elsewhere()
}

pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Starts a Docker daemon if none answers and this is root; it stays when the tests are over, as it
/// would if the machine had started it.
pub(crate) fn docker(tree: &Tree) -> Result<()> {
    if workshop::image::docker_answers() {
        return Ok(());
    }
    if !is_root() || found_on_path("dockerd").is_none() {
        eprintln!(
            "no Docker daemon answers, and this can't start one: tests that need it will say so"
        );
        return Ok(());
    }
    let log = tree.tools().join("dockerd.log");
    std::fs::create_dir_all(tree.tools())?;
    eprintln!("starting dockerd (log: {})", log.display());
    let output = std::fs::File::create(&log)?;
    Command::new("dockerd")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .context("starting dockerd")?;
    for _ in 0..120 {
        if workshop::image::docker_answers() {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    bail!(
        "dockerd doesn't answer after a minute; the end of its log:\n{}",
        last_lines(&log)
    )
}

fn last_lines(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(10).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
