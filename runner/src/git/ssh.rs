//! Repositories over SSH, with the `git` and `ssh` of this machine; libgit2's own SSH would bring
//! OpenSSL.
//!
//! ssh reads no configuration, asks no agent and nobody, tries the connection's key alone, and talks
//! only to a host whose key is among the connection's known hosts. The key lies in a file that only
//! the runner may read, for as long as git works. The tree is packed from the object database, as
//! over HTTPS; only submodules and large files make a checkout necessary.

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use domain::Secret;
use domain::git::{SshAddress, is_known_hosts};
use git2::{Oid, Repository};

use super::FetchError;
use super::cli::{self, Git, Needs, Way};
use super::fetch::{Fetched, Head, Wanted, choose, full_names, pack_target};
use super::pack_tree::Left;
use crate::files;
use crate::machine::find_program;

pub(super) const SCHEME: &str = "ssh";

/// One repository over SSH and how it is reached.
#[derive(Debug, Clone)]
pub struct SshConnection {
    address: SshAddress,
    key: Secret<String>,
    known_hosts: String,
}

impl SshConnection {
    /// Whether an address is meant to be reached over SSH.
    pub fn is_meant(url: &str) -> bool {
        SshAddress::is_meant(url)
    }

    /// # Errors
    /// [`FetchError::Ssh`], naming the remedy: for a bad address, no or no usable private key, and
    /// without known hosts.
    pub fn new(url: &str, key: &str, known_hosts: &str) -> Result<Self, FetchError> {
        let address = SshAddress::parse(url)
            .map_err(|error| FetchError::Ssh(format!("the repository's address: {error}")))?;
        let host = address.host();
        let is_key =
            key.trim_start().starts_with("-----BEGIN ") && key.contains("PRIVATE KEY-----");
        if !is_key {
            return Err(FetchError::Ssh(
                "a repository over SSH needs a private key in place of the token: PEM or OpenSSH \
                 text, without a passphrase"
                    .to_owned(),
            ));
        }
        if !is_known_hosts(known_hosts) {
            return Err(FetchError::Ssh(format!(
                "a repository over SSH needs the keys of its host as known hosts: add what \
                 `ssh-keyscan {host}` prints, compared with what the host's operator publishes"
            )));
        }
        Ok(Self {
            key: Secret::new(as_file(key)),
            known_hosts: as_file(known_hosts),
            address,
        })
    }
}

/// Lines as OpenSSH wants them.
fn as_file(text: &str) -> String {
    let mut text = text.trim().replace("\r\n", "\n");
    text.push('\n');
    text
}

/// Fetches into `scratch`, an empty directory, and writes the tree as tar to what `out` makes. Blocks.
///
/// # Errors
/// [`FetchError`].
pub fn fetch<W: Write>(
    connection: &SshConnection,
    wanted: &Wanted,
    scratch: &Path,
    out: impl Fn() -> std::io::Result<W>,
) -> Result<(Fetched, W), FetchError> {
    let program = |program: &'static str| {
        find_program(program).ok_or_else(|| FetchError::Missing {
            what: "an address over SSH".to_owned(),
            program,
        })
    };
    let (git, ssh) = (program("git")?, program("ssh")?);
    let keys = Keys::write(connection, scratch)?;
    let git = Git::prepare(git, keys.way(connection, &ssh), scratch)?;
    let names = full_names(&wanted.reference);
    let target = choose(&heads(&git.names(&names)?), wanted)?;
    git.fetch(&target.id.to_string(), &target.reference)?;
    let repository = Repository::open(&git.tree)?;
    let (fetched, written, left) = pack_target(&repository, &target, wanted, out()?)?;
    if left == Left::default() {
        return Ok((fetched, written));
    }
    let needs = Needs {
        submodules: wanted.submodules,
        submodule: left.submodule.as_deref(),
        lfs: left.lfs.as_deref(),
    };
    let written = cli::check_out(&git, &fetched.commit, needs, out()?)?;
    Ok((fetched, written))
}

/// What `git ls-remote --symref` prints.
fn heads(printed: &str) -> Vec<Head> {
    let mut heads: Vec<Head> = Vec::new();
    let mut stands_for = None;
    for line in printed.lines() {
        let Some((value, name)) = line.split_once('\t') else {
            continue;
        };
        if let Some(full) = value.strip_prefix("ref: ") {
            stands_for = Some(full.to_owned());
        } else if let Ok(id) = Oid::from_str(value) {
            heads.push(Head {
                name: name.to_owned(),
                id,
                stands_for: stands_for.take(),
            });
        }
    }
    heads
}

/// The files that ssh reads; the key is wiped when this is dropped.
struct Keys {
    key: PathBuf,
    known_hosts: PathBuf,
}

impl Keys {
    fn write(connection: &SshConnection, scratch: &Path) -> std::io::Result<Self> {
        let place = scratch.join("ssh");
        files::make_directory(&place, 0o700)?;
        let it = Self {
            key: place.join("key"),
            known_hosts: place.join("known_hosts"),
        };
        files::write_private(&it.known_hosts, connection.known_hosts.as_bytes())?;
        files::write_private(&it.key, connection.key.expose().as_bytes())?;
        Ok(it)
    }

    fn way(&self, connection: &SshConnection, ssh: &Path) -> Way {
        let known_hosts = format!("UserKnownHostsFile=\"{}\"", of_ssh(&self.known_hosts));
        let identity = format!("IdentityFile=\"{}\"", of_ssh(&self.key));
        let options = [
            known_hosts.as_str(),
            identity.as_str(),
            "GlobalKnownHostsFile=/dev/null",
            "StrictHostKeyChecking=yes",
            "UpdateHostKeys=no",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "PreferredAuthentications=publickey",
            "BatchMode=yes",
            "ForwardAgent=no",
            "ClearAllForwardings=yes",
            "PermitLocalCommand=no",
            "ControlPath=none",
            "ConnectTimeout=30",
            "ServerAliveInterval=15",
            "ServerAliveCountMax=4",
            "LogLevel=ERROR",
        ];
        let mut command = format!("{} -F none", of_shell(&ssh.to_string_lossy()));
        for option in options {
            command.push_str(" -o ");
            command.push_str(&of_shell(option));
        }
        Way {
            address: connection.address.to_string(),
            scheme: SCHEME.to_owned(),
            host: connection.address.host().to_owned(),
            configuration: String::new(),
            environment: vec![
                ("GIT_SSH_COMMAND", command),
                ("GIT_SSH_VARIANT", "ssh".to_owned()),
            ],
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Err(error) = wipe(&self.key) {
            tracing::warn!(%error, "the private key of a fetch could not be wiped");
        }
    }
}

/// Overwrites a file before it goes.
fn wipe(path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or_default();
    file.rewind()?;
    file.write_all(&vec![0; length])?;
    file.sync_all()?;
    std::fs::remove_file(path)
}

/// A path inside double quotes of an ssh option, where `%` is special.
fn of_ssh(path: &Path) -> String {
    path.to_string_lossy()
        .replace('%', "%%")
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
}

/// One word of the shell that git gives its ssh command to.
fn of_shell(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// What git and ssh complain of, as a sentence with a remedy.
pub(super) fn sentence(host: &str, command: &str, said: &str) -> FetchError {
    let has = |part: &str| said.contains(part);
    if has("Host key verification failed") || has("IDENTIFICATION HAS CHANGED") {
        return FetchError::Host(format!(
            "{host} shows a key that is not among this connection's known hosts; if the host has a \
             new one, compare it with what its operator publishes and change the known hosts"
        ));
    }
    if has("Load key") || has("invalid format") || has("error in libcrypto") {
        return FetchError::Host(
            "the private key of this connection can't be read: give it as PEM or OpenSSH text, \
             without a passphrase"
                .to_owned(),
        );
    }
    if has("Permission denied") {
        return FetchError::Credentials(format!(
            "{host} refuses the private key of this connection"
        ));
    }
    if let Some(line) = said.lines().find(|line| line.starts_with("ssh: ")) {
        return FetchError::Host(format!(
            "{host} can't be reached: {}",
            &line["ssh: ".len()..]
        ));
    }
    if let Some(sentence) = cli::other_transport(SCHEME, said) {
        return FetchError::Host(sentence);
    }
    let first = said
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.contains("Could not read from remote"));
    let first = first.unwrap_or("it does not say why");
    FetchError::Host(format!("git {command} failed: {first}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "-----BEGIN OPENSSH PRIVATE KEY-----\r\nx\r\n-----END OPENSSH PRIVATE KEY-----";
    const KNOWN: &str = "git.example ssh-ed25519 AAAA";

    #[test]
    fn a_connection_needs_a_key_and_known_hosts() {
        let make = |key, known| SshConnection::new("git@git.example:a/b", key, known);
        let made = make(KEY, KNOWN).unwrap();
        assert!(made.key.expose().ends_with("KEY-----\n") && !made.key.expose().contains('\r'));
        let refused = make(KEY, "").unwrap_err().to_string();
        assert!(refused.contains("ssh-keyscan git.example"), "{refused}");
        let refused = make("a-token", KNOWN).unwrap_err().to_string();
        assert!(refused.contains("private key"), "{refused}");
        assert!(SshConnection::new("git@-oProxyCommand=x:a", KEY, KNOWN).is_err());
    }

    #[test]
    fn the_key_is_gone_afterwards_and_paths_stay_whole_words() {
        let scratch = tempfile::tempdir().unwrap();
        let odd = scratch.path().join("it's 100% \"odd\"");
        std::fs::create_dir(&odd).unwrap();
        let made = SshConnection::new("git@git.example:a/b", KEY, KNOWN).unwrap();
        let keys = Keys::write(&made, &odd).unwrap();
        let way = keys.way(&made, Path::new("/usr/bin/ssh"));
        let command = &way.environment[0].1;
        assert!(command.contains(r#"it'\''s 100%% \"odd\""#), "{command}");
        assert!(command.contains("StrictHostKeyChecking=yes"), "{command}");
        let key = keys.key.clone();
        assert!(key.exists());
        drop(keys);
        assert!(!key.exists());
    }

    #[test]
    fn names_of_the_host() {
        let id = "0123456789012345678901234567890123456789";
        let read = heads(&format!(
            "ref: refs/heads/main\tHEAD\n{id}\tHEAD\n{id}\trefs/heads/main\n"
        ));
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].stands_for.as_deref(), Some("refs/heads/main"));
        assert_eq!(read[1].name, "refs/heads/main");
    }
}
