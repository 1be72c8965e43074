//! What libgit2 can't do: submodules and files of Git LFS, with the `git` of this machine.
//!
//! Nothing of the user's or the system's configuration is read, nothing is asked on a terminal, no
//! hook runs, and no transport but the connection's own is allowed. The token is in a configuration
//! file of its own that only the runner may read, bound to the connection's host: a submodule or an
//! LFS store elsewhere gets none.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;

use super::{Connection, FetchError, pack_directory};
use crate::machine::{SEARCH_PATH, find_program};

/// One command of git may take so long; the job's own limit ends it earlier.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
const LOOK: Duration = Duration::from_millis(50);
/// What is kept of its complaints.
const MOST: u64 = 16 * 1024;

/// What is needed of the machine's git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs<'a> {
    pub(super) submodules: bool,
    /// A file that Git LFS keeps.
    pub(super) lfs: Option<&'a str>,
    /// The path of a submodule.
    pub(super) submodule: Option<&'a str>,
}

impl Needs<'_> {
    /// What the repository has, for a sentence.
    fn what(&self) -> String {
        match (self.submodule, self.lfs) {
            (Some(path), _) => format!("submodules ({path})"),
            (None, Some(path)) => format!("files kept by Git LFS ({path})"),
            (None, None) => "what libgit2 can't fetch".to_owned(),
        }
    }
}

/// Checks out `commit` in full below `scratch` and writes the tree to `out` as tar.
///
/// # Errors
/// [`FetchError`], with the remedy when a program is missing.
pub(super) fn fetch<W: Write>(
    connection: &Connection,
    commit: &str,
    reference: &str,
    needs: Needs<'_>,
    scratch: &Path,
    out: W,
) -> Result<W, FetchError> {
    let missing = |program: &'static str| FetchError::Missing {
        what: needs.what(),
        program,
    };
    let git = find_program("git").ok_or_else(|| missing("git"))?;
    let lfs = find_program("git-lfs");
    if needs.lfs.is_some() && lfs.is_none() {
        return Err(missing("git-lfs"));
    }
    let git = Git::prepare(git, connection, lfs.is_some(), scratch)?;
    git.run(&["init", "--quiet", "."])?;
    let address = connection.url.as_str();
    let alone = git.run(&[
        "fetch",
        "--quiet",
        "--depth=1",
        "--no-tags",
        "--",
        address,
        commit,
    ]);
    if alone.is_err() {
        let all = match reference {
            "" => "+refs/heads/*:refs/terrane/heads/*".to_owned(),
            name => format!("+{name}:refs/terrane/reference"),
        };
        git.run(&["fetch", "--quiet", "--no-tags", "--", address, &all])?;
    }
    git.run(&["remote", "add", "origin", address])?;
    git.run(&["checkout", "--quiet", "--force", "--detach", commit])?;
    if needs.submodules {
        let update = ["submodule", "--quiet", "update", "--init", "--recursive"];
        let shallow = git.run(&[&update[..], &["--depth=1"]].concat());
        if shallow.is_err() {
            // A host may not give out a commit by its id.
            git.run(&update)?;
        }
    }
    let packed = pack_directory(&git.tree, out)?;
    if let Some(path) = packed.pointers.first() {
        let what = format!("files kept by Git LFS ({path})");
        let program = "git-lfs";
        if lfs.is_none() {
            return Err(FetchError::Missing { what, program });
        }
        return Err(FetchError::Host(format!(
            "the content of {path} could not be had from the repository's Git LFS store"
        )));
    }
    Ok(packed.out)
}

struct Git {
    program: PathBuf,
    /// The configuration that is read instead of the user's.
    configuration: PathBuf,
    home: PathBuf,
    tree: PathBuf,
    protocols: String,
    url: url::Url,
}

impl Git {
    fn prepare(
        program: PathBuf,
        connection: &Connection,
        lfs: bool,
        scratch: &Path,
    ) -> Result<Self, FetchError> {
        let place = scratch.join("cli");
        crate::files::make_directory(&place, 0o700)?;
        let it = Self {
            program,
            configuration: place.join("config"),
            home: place.join("home"),
            tree: place.join("tree"),
            protocols: connection.url.scheme().to_owned(),
            url: connection.url.clone(),
        };
        crate::files::make_directory(&it.home, 0o700)?;
        crate::files::make_directory(&it.tree, 0o700)?;
        let authorities = place.join("authorities.pem");
        let authorities = if connection.ca_pem.is_empty() {
            None
        } else {
            std::fs::write(&authorities, with_system(&connection.ca_pem))?;
            Some(authorities)
        };
        let text = configuration(connection, lfs, authorities.as_deref())?;
        crate::files::write_private(&it.configuration, text.as_bytes())?;
        Ok(it)
    }

    /// Runs one command in the tree.
    fn run(&self, arguments: &[&str]) -> Result<(), FetchError> {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .current_dir(&self.tree)
            .env_clear()
            .env("PATH", SEARCH_PATH)
            .env("HOME", &self.home)
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", &self.configuration)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "/bin/false")
            .env("SSH_ASKPASS", "/bin/false")
            .env("GIT_ALLOW_PROTOCOL", &self.protocols)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let complaints = child.stderr.take();
        let reading = std::thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(mut complaints) = complaints {
                let _ = complaints.by_ref().take(MOST).read_to_end(&mut text);
                let _ = std::io::copy(&mut complaints, &mut std::io::sink());
            }
            String::from_utf8_lossy(&text).into_owned()
        });
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                break child.wait()?;
            }
            std::thread::sleep(LOOK);
        };
        let said = reading.join().unwrap_or_default();
        if status.success() {
            return Ok(());
        }
        Err(self.sentence(arguments.first().copied().unwrap_or_default(), &said))
    }

    fn sentence(&self, command: &str, said: &str) -> FetchError {
        let host = self.url.host_str().unwrap_or_default();
        let has = |part: &str| said.contains(part);
        FetchError::Host(
            if has("Authentication failed") || has("could not read Username") {
                match said.lines().find_map(other_host(host)) {
                    Some(other) => format!(
                        "the repository needs {other}, which wants credentials; those of this \
                     connection are for {host} alone"
                    ),
                    None => format!("{host} refuses the credentials of this connection"),
                }
            } else if has("not allowed") && has("transport") {
                format!(
                    "the repository has a submodule whose address does not begin with {}://; use \
                 relative or {} addresses in .gitmodules",
                    self.url.scheme(),
                    self.url.scheme()
                )
            } else {
                let last = said
                    .lines()
                    .rev()
                    .find(|line| line.starts_with("fatal:") || line.starts_with("error:"));
                let last = last
                    .or_else(|| said.lines().last())
                    .unwrap_or("it does not say why");
                format!("git {command} failed: {last}")
            },
        )
    }
}

/// The host of a complaint, if it is not the connection's.
fn other_host(own: &str) -> impl Fn(&str) -> Option<String> {
    move |line| {
        let start = line.find("://")? + 3;
        let host = line[start..].split(['/', '\'', '"']).next()?;
        let name = host.rsplit('@').next()?.split(':').next()?;
        (name != own && !name.is_empty()).then(|| name.to_owned())
    }
}

fn configuration(
    connection: &Connection,
    lfs: bool,
    authorities: Option<&Path>,
) -> Result<String, FetchError> {
    let mut text = String::from(
        "[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n\taskPass = /bin/false\n\
         [protocol \"ext\"]\n\tallow = never\n[protocol \"file\"]\n\tallow = never\n\
         [transfer]\n\tfsckObjects = true\n[fetch]\n\tfsckObjects = true\n\
         [credential]\n\thelper =\n[advice]\n\tdetachedHead = false\n\
         [init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n\
         [http]\n\tfollowRedirects = false\n\tlowSpeedLimit = 1000\n\tlowSpeedTime = 60\n",
    );
    if let Some(path) = authorities {
        let _ = writeln!(text, "\tsslCAInfo = {}", quoted(&path.to_string_lossy())?);
    }
    if let Some(proxy) = &connection.proxy {
        let _ = writeln!(text, "\tproxy = {}", quoted(proxy)?);
    } else {
        text.push_str("\tproxy =\n");
    }
    if let Some(token) = &connection.token {
        let pair = format!("{}:{}", connection.username, token.expose());
        let pair = base64::engine::general_purpose::STANDARD.encode(pair);
        let origin = connection.url.origin().ascii_serialization();
        let _ = write!(
            text,
            "[http {}]\n\textraHeader = {}\n",
            quoted(&format!("{origin}/"))?,
            quoted(&format!("Authorization: Basic {pair}"))?
        );
    }
    if lfs {
        text.push_str(
            "[filter \"lfs\"]\n\tclean = git-lfs clean -- %f\n\tsmudge = git-lfs smudge -- %f\n\
             \tprocess = git-lfs filter-process\n\trequired = true\n",
        );
    }
    Ok(text)
}

/// A value of git's configuration.
fn quoted(text: &str) -> Result<String, FetchError> {
    if text.contains(['\n', '\r', '\0']) {
        return Err(FetchError::Address);
    }
    Ok(format!(
        "\"{}\"",
        text.replace('\\', "\\\\").replace('"', "\\\"")
    ))
}

/// The connection's authorities in addition to the system's, as for libgit2.
fn with_system(pem: &[u8]) -> Vec<u8> {
    let mut all = pem.to_vec();
    if !all.ends_with(b"\n") {
        all.push(b'\n');
    }
    for certificate in rustls_native_certs::load_native_certs().certs {
        let body = base64::engine::general_purpose::STANDARD.encode(&certificate);
        all.extend_from_slice(b"-----BEGIN CERTIFICATE-----\n");
        for line in body.as_bytes().chunks(64) {
            all.extend_from_slice(line);
            all.push(b'\n');
        }
        all.extend_from_slice(b"-----END CERTIFICATE-----\n");
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_for_the_connection_s_host_alone() {
        let url = "https://git.example:8443/a/b.git";
        let connection = Connection::new(url, "bot", "t", &[], None).unwrap();
        let text = configuration(&connection, true, None).unwrap();
        assert!(
            text.contains("[http \"https://git.example:8443/\"]"),
            "{text}"
        );
        assert!(text.contains("Authorization: Basic Ym90OnQ="), "{text}");
        assert!(text.contains("followRedirects = false"), "{text}");
        assert!(quoted("a\nb").is_err());
        assert_eq!(quoted("a\"b\\").unwrap(), "\"a\\\"b\\\\\"");
    }

    #[test]
    fn complaints_about_other_hosts_are_told_apart() {
        let own = other_host("git.example");
        let line = "fatal: Authentication failed for 'https://other.example/x/'";
        assert_eq!(own(line).as_deref(), Some("other.example"));
        assert_eq!(
            own("fatal: could not read Username for 'https://git.example:8': no"),
            None
        );
    }
}
