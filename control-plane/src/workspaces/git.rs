//! Where a workspace's configuration is fetched from, as a caller gives it: with its token, which
//! is sealed at once and never read back through the API.

use domain::Secret;
use domain::git::{SshAddress, is_known_hosts};

use super::attributes::GitInput;
use super::error::WorkspaceError;
use super::model::GitSource;

/// Longest list of known hosts.
const MAX_KNOWN_HOSTS: usize = 64 * 1024;

/// A git source and, if one was given, its new token.
#[derive(Debug)]
pub struct NewGitSource {
    pub source: GitSource,
    pub token: Option<Secret>,
}

impl NewGitSource {
    /// # Errors
    /// [`WorkspaceError::Invalid`] for a URL that is neither plain `https://HOST/PATH` nor an
    /// address over SSH, and for what the address has no use for.
    pub fn from_input(input: GitInput) -> Result<Self, WorkspaceError> {
        let url = if SshAddress::is_meant(&input.url) {
            over_ssh(&input)?
        } else {
            over_https(&input)?
        };
        Ok(Self {
            source: GitSource {
                url,
                reference: input.reference,
                username: input.username,
                ca_pem: input.ca_pem,
                submodules: input.submodules,
                known_hosts: input.known_hosts,
            },
            token: input.token,
        })
    }
}

fn over_https(input: &GitInput) -> Result<String, WorkspaceError> {
    let bad = |detail: &str| WorkspaceError::invalid("git/url", detail);
    let url = url::Url::parse(&input.url)
        .map_err(|_| bad("it is no URL; use https://HOST/PATH, or USER@HOST:PATH for SSH"))?;
    if url.scheme() != "https" || url.host_str().is_none() {
        return Err(bad(
            "only repositories over https:// and SSH can be fetched",
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad(
            "put the user name and token in their own fields, not in the URL",
        ));
    }
    if input.known_hosts.is_some() {
        return Err(WorkspaceError::invalid(
            "git/known-hosts",
            "known hosts are for repositories over SSH; leave them out with https://",
        ));
    }
    Ok(url.to_string())
}

fn over_ssh(input: &GitInput) -> Result<String, WorkspaceError> {
    let address = SshAddress::parse(&input.url)
        .map_err(|error| WorkspaceError::invalid("git/url", error.to_string()))?;
    let bad = |field: &str, detail: String| Err(WorkspaceError::invalid(field, detail));
    if !input.username.is_empty() {
        let detail = "over SSH the user is part of the address: USER@HOST:PATH".to_owned();
        return bad("git/username", detail);
    }
    if input.ca_pem.is_some() {
        let detail = "certificate authorities are for https://; SSH has known-hosts".to_owned();
        return bad("git/ca-pem", detail);
    }
    let known = input.known_hosts.as_deref().unwrap_or_default();
    if !is_known_hosts(known) || known.len() > MAX_KNOWN_HOSTS {
        let host = address.host();
        return bad(
            "git/known-hosts",
            format!(
                "a repository over SSH needs the keys of its host as lines of known_hosts, 64 KiB \
                 at most: take what `ssh-keyscan {host}` prints and compare it with what the \
                 host's operator publishes"
            ),
        );
    }
    Ok(address.to_string())
}
