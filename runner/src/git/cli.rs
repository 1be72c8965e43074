//! What libgit2 can't do: submodules, files of Git LFS and SSH, with the `git` of this machine.
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
/// And of what it prints: names of references.
const MOST_PRINTED: u64 = 1024 * 1024;

/// What is needed of the machine's git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs<'a> {
    /// Whether submodules are asked for.
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
    let program = find_program("git").ok_or_else(|| FetchError::Missing {
        what: needs.what(),
        program: "git",
    })?;
    let git = Git::prepare(program, Way::of(connection, scratch)?, scratch)?;
    git.fetch(commit, reference)?;
    check_out(&git, commit, needs, out)
}

/// Checks out a commit that is there already, with its submodules and large files, and packs it.
///
/// # Errors
/// [`FetchError`], with the remedy when a program is missing.
pub(super) fn check_out<W: Write>(
    git: &Git,
    commit: &str,
    needs: Needs<'_>,
    out: W,
) -> Result<W, FetchError> {
    if needs.lfs.is_some() && !git.has_lfs {
        return Err(FetchError::Missing {
            what: needs.what(),
            program: "git-lfs",
        });
    }
    git.run(&["remote", "add", "origin", &git.way.address])?;
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
        if !git.has_lfs {
            return Err(FetchError::Missing { what, program });
        }
        return Err(FetchError::Host(format!(
            "the content of {path} could not be had from the repository's Git LFS store"
        )));
    }
    Ok(packed.out)
}

/// How git reaches a repository.
#[derive(Debug)]
pub(super) struct Way {
    /// What git is told.
    pub(super) address: String,
    pub(super) scheme: String,
    pub(super) host: String,
    /// In git's own language, beside what holds for all.
    pub(super) configuration: String,
    pub(super) environment: Vec<(&'static str, String)>,
}

impl Way {
    /// Over HTTPS, with the connection's token, authorities and proxy.
    fn of(connection: &Connection, scratch: &Path) -> Result<Self, FetchError> {
        let authorities = if connection.ca_pem.is_empty() {
            None
        } else {
            let path = scratch.join("authorities.pem");
            std::fs::write(&path, with_system(&connection.ca_pem))?;
            Some(path)
        };
        Ok(Self {
            address: connection.url.to_string(),
            scheme: connection.url.scheme().to_owned(),
            host: connection.url.host_str().unwrap_or_default().to_owned(),
            configuration: of_connection(connection, authorities.as_deref())?,
            environment: Vec::new(),
        })
    }
}

/// The machine's git in a tree of its own.
pub(super) struct Git {
    program: PathBuf,
    has_lfs: bool,
    /// The configuration that is read instead of the user's.
    configuration: PathBuf,
    home: PathBuf,
    pub(super) tree: PathBuf,
    way: Way,
}

impl Git {
    /// An empty repository below `scratch`.
    ///
    /// # Errors
    /// The file system's own, or git's.
    pub(super) fn prepare(program: PathBuf, way: Way, scratch: &Path) -> Result<Self, FetchError> {
        let place = scratch.join("cli");
        crate::files::make_directory(&place, 0o700)?;
        let it = Self {
            program,
            has_lfs: find_program("git-lfs").is_some(),
            configuration: place.join("config"),
            home: place.join("home"),
            tree: place.join("tree"),
            way,
        };
        crate::files::make_directory(&it.home, 0o700)?;
        crate::files::make_directory(&it.tree, 0o700)?;
        let text = configuration(&it.way, it.has_lfs);
        crate::files::write_private(&it.configuration, text.as_bytes())?;
        it.run(&["init", "--quiet", "."])?;
        Ok(it)
    }

    /// Fetches one commit; if the host does not give it out by its id, all behind the reference.
    ///
    /// # Errors
    /// What git says, as a sentence.
    pub(super) fn fetch(&self, commit: &str, reference: &str) -> Result<(), FetchError> {
        let address = self.way.address.as_str();
        let start = ["fetch", "--quiet", "--no-tags"];
        let alone = [&start[..], &["--depth=1", "--", address, commit]].concat();
        match self.run(&alone) {
            Ok(()) => return Ok(()),
            Err(error @ FetchError::Credentials(_)) => return Err(error),
            Err(_) => {}
        }
        let all = match reference {
            "" => "+refs/heads/*:refs/terrane/heads/*".to_owned(),
            name => format!("+{name}:refs/terrane/reference"),
        };
        self.run(&[&start[..], &["--", address, &all]].concat())
    }

    /// The names that the host has, among these.
    ///
    /// # Errors
    /// What git says, as a sentence.
    pub(super) fn names(&self, among: &[String]) -> Result<String, FetchError> {
        let start = ["ls-remote", "--symref", "--", &self.way.address];
        let among: Vec<&str> = among.iter().map(String::as_str).collect();
        self.read(&[&start[..], &among].concat())
    }

    /// Runs one command in the tree.
    ///
    /// # Errors
    /// What git says, as a sentence.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<(), FetchError> {
        self.read(arguments).map(drop)
    }

    /// Runs one command in the tree and gives what it prints.
    fn read(&self, arguments: &[&str]) -> Result<String, FetchError> {
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
            .env("GIT_ALLOW_PROTOCOL", &self.way.scheme)
            .envs(
                self.way
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let complaints = beginning(child.stderr.take(), MOST);
        let printed = beginning(child.stdout.take(), MOST_PRINTED);
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
        let said = complaints.join().unwrap_or_default();
        if status.success() {
            return Ok(printed.join().unwrap_or_default());
        }
        Err(self.sentence(arguments.first().copied().unwrap_or_default(), &said))
    }

    fn sentence(&self, command: &str, said: &str) -> FetchError {
        if self.way.scheme == super::ssh::SCHEME {
            return super::ssh::sentence(&self.way.host, command, said);
        }
        let host = &self.way.host;
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
            } else if let Some(sentence) = other_transport(&self.way.scheme, said) {
                sentence
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

/// What is said when a submodule is not to be had over the repository's own transport.
pub(super) fn other_transport(scheme: &str, said: &str) -> Option<String> {
    (said.contains("not allowed") && said.contains("transport")).then(|| {
        format!(
            "the repository has a submodule whose address does not begin with {scheme}://; use \
             relative or {scheme} addresses in .gitmodules"
        )
    })
}

/// Reads the beginning of an output, and the rest away.
fn beginning(
    output: Option<impl Read + Send + 'static>,
    most: u64,
) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut output) = output {
            let _ = output.by_ref().take(most).read_to_end(&mut text);
            let _ = std::io::copy(&mut output, &mut std::io::sink());
        }
        String::from_utf8_lossy(&text).into_owned()
    })
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

/// What is read instead of the user's configuration.
fn configuration(way: &Way, lfs: bool) -> String {
    let mut text = String::from(
        "[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n\taskPass = /bin/false\n\
         [protocol \"ext\"]\n\tallow = never\n[protocol \"file\"]\n\tallow = never\n\
         [transfer]\n\tfsckObjects = true\n[fetch]\n\tfsckObjects = true\n\
         [credential]\n\thelper =\n[advice]\n\tdetachedHead = false\n\
         [init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n\
         [http]\n\tfollowRedirects = false\n\tlowSpeedLimit = 1000\n\tlowSpeedTime = 60\n",
    );
    text.push_str(&way.configuration);
    if lfs {
        text.push_str(
            "[filter \"lfs\"]\n\tclean = git-lfs clean -- %f\n\tsmudge = git-lfs smudge -- %f\n\
             \tprocess = git-lfs filter-process\n\trequired = true\n",
        );
    }
    text
}

/// The connection's authorities, proxy and token.
fn of_connection(
    connection: &Connection,
    authorities: Option<&Path>,
) -> Result<String, FetchError> {
    let mut text = String::from("[http]\n");
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
        let scratch = tempfile::tempdir().unwrap();
        let way = Way::of(&connection, scratch.path()).unwrap();
        let text = configuration(&way, true);
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
