//! Addresses of repositories over SSH. Control plane and runner must read them alike, and neither
//! may hand git or ssh a text that they would take for an option.

use std::fmt;

/// A repository over SSH: `ssh://[USER@]HOST[:PORT]/PATH`, or `USER@HOST:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAddress {
    user: String,
    host: String,
    port: Option<u16>,
    path: String,
    /// The short form, whose path is relative to the user's home.
    short: bool,
}

/// Why a text is no address of a repository over SSH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SshAddressError {
    #[error("use ssh://USER@HOST/PATH or USER@HOST:PATH")]
    Shape,
    #[error("the user may have letters, digits, dots, dashes and underscores, and no password")]
    User,
    #[error("the host may have letters, digits, dots and dashes")]
    Host,
    #[error("the port is a number from 1 to 65535")]
    Port,
    #[error("the path must not be empty, begin with a dash or have spaces")]
    Path,
}

const DEFAULT_USER: &str = "git";

impl SshAddress {
    /// Whether the text is meant as one, however badly it is written.
    pub fn is_meant(text: &str) -> bool {
        match text.split_once("://") {
            Some((scheme, _)) => matches!(scheme, "ssh" | "git+ssh" | "ssh+git"),
            None => text
                .split_once(':')
                .is_some_and(|(host, _)| host.contains('@') && !host.contains('/')),
        }
    }

    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, SshAddressError> {
        if let Some(rest) = text.strip_prefix("ssh://") {
            let (authority, path) = rest.split_once('/').ok_or(SshAddressError::Path)?;
            let (user, host) = authority
                .rsplit_once('@')
                .unwrap_or((DEFAULT_USER, authority));
            let (host, port) = match host.rsplit_once(':') {
                Some((host, port)) if !host.ends_with(':') && !port.ends_with(']') => {
                    let port: u16 = port.parse().map_err(|_| SshAddressError::Port)?;
                    (host, Some(port))
                }
                Some(_) | None => (host, None),
            };
            return Self::checked(user, host, port, path, false);
        }
        let (authority, path) = text.split_once(':').ok_or(SshAddressError::Shape)?;
        let (user, host) = authority.split_once('@').ok_or(SshAddressError::Shape)?;
        if path.starts_with("//") {
            return Err(SshAddressError::Shape);
        }
        Self::checked(user, host, None, path, true)
    }

    fn checked(
        user: &str,
        host: &str,
        port: Option<u16>,
        path: &str,
        short: bool,
    ) -> Result<Self, SshAddressError> {
        let word = |text: &str, more: &[u8]| {
            !text.is_empty()
                && !text.starts_with('-')
                && text
                    .bytes()
                    .all(|it| it.is_ascii_alphanumeric() || more.contains(&it))
        };
        if !word(user, b"._-") {
            return Err(SshAddressError::User);
        }
        if !word(host, b".-") {
            return Err(SshAddressError::Host);
        }
        if port == Some(0) {
            return Err(SshAddressError::Port);
        }
        let unfit = |it: char| it.is_control() || it.is_whitespace();
        if path.trim_matches('/').is_empty() || path.starts_with('-') || path.contains(unfit) {
            return Err(SshAddressError::Path);
        }
        Ok(Self {
            user: user.to_owned(),
            host: host.to_owned(),
            port,
            path: path.to_owned(),
            short,
        })
    }

    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for SshAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            user, host, path, ..
        } = self;
        match (self.short, self.port) {
            (true, _) => write!(f, "{user}@{host}:{path}"),
            (false, Some(port)) => write!(f, "ssh://{user}@{host}:{port}/{path}"),
            (false, None) => write!(f, "ssh://{user}@{host}/{path}"),
        }
    }
}

/// Whether every line is one of OpenSSH's `known_hosts`: hosts, kind of key, key. At least one is.
pub fn is_known_hosts(text: &str) -> bool {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .peekable();
    lines.peek().is_some()
        && lines.all(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let fields = match fields.first() {
                Some(marker) if marker.starts_with('@') => fields.get(1..).unwrap_or_default(),
                Some(_) | None => fields.as_slice(),
            };
            fields.len() >= 3
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        for (text, host, shown) in [
            ("git@git.example:team/a.git", "git.example", None),
            ("ssh://git@git.example/team/a.git", "git.example", None),
            (
                "ssh://git.example:2222/a",
                "git.example",
                Some("ssh://git@git.example:2222/a"),
            ),
        ] {
            let read = SshAddress::parse(text).unwrap();
            assert_eq!(read.host(), host);
            assert_eq!(read.to_string(), shown.unwrap_or(text));
            assert!(SshAddress::is_meant(text));
        }
        assert!(!SshAddress::is_meant("https://git.example/a:b@c"));
    }

    #[test]
    fn nothing_that_git_or_ssh_would_take_for_an_option_or_two_words() {
        use SshAddressError::{Host, Path, Port, Shape, User};
        for (text, why) in [
            ("ssh://-oProxyCommand=x/a", Host),
            ("ssh://git@-oProxyCommand=x/a", Host),
            ("git@-x:a", Host),
            ("-x@host:a", User),
            ("ssh://u:secret@host/a", User),
            ("git@host:-a", Path),
            ("git@host:a b", Path),
            ("git@host:", Path),
            ("ssh://host", Path),
            ("ssh://host:0/a", Port),
            ("ssh://host:x/a", Port),
            ("host:a", Shape),
            ("ext::sh -c x", Shape),
        ] {
            assert_eq!(SshAddress::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn lines_of_known_hosts() {
        assert!(is_known_hosts(
            "# c\nhost ssh-ed25519 AAAA\n|1|x|y= ssh-rsa AAAA comment\n"
        ));
        assert!(is_known_hosts("@cert-authority *.x ssh-rsa AAAA"));
        for bad in ["", "# only\n", "ssh-ed25519 AAAA", "@revoked * ssh-rsa"] {
            assert!(!is_known_hosts(bad), "{bad}");
        }
    }
}
