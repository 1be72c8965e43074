//! Where a workspace's configuration is fetched from, as a caller gives it: with its token, which
//! is sealed at once and never read back through the API.

use domain::Secret;

use super::attributes::GitInput;
use super::error::WorkspaceError;
use super::model::GitSource;

/// A git source and, if one was given, its new token.
#[derive(Debug)]
pub struct NewGitSource {
    pub source: GitSource,
    pub token: Option<Secret>,
}

impl NewGitSource {
    /// # Errors
    /// [`WorkspaceError::Invalid`] for a URL that is not plain `https://HOST/PATH`.
    pub fn from_input(input: GitInput) -> Result<Self, WorkspaceError> {
        let bad = |detail: &str| WorkspaceError::invalid("git/url", detail);
        let url =
            url::Url::parse(&input.url).map_err(|_| bad("it is no URL; use https://HOST/PATH"))?;
        if url.scheme() != "https" || url.host_str().is_none() {
            return Err(bad("only https:// repositories can be fetched"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad(
                "put the user name and token in their own fields, not in the URL",
            ));
        }
        Ok(Self {
            source: GitSource {
                url: url.to_string(),
                reference: input.reference,
                username: input.username,
                ca_pem: input.ca_pem,
                submodules: input.submodules,
            },
            token: input.token,
        })
    }
}
