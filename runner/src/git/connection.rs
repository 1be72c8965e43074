//! One repository and how it is reached.

use domain::Secret;
use url::Url;

use super::FetchError;
use crate::http_client;

/// A repository behind its own HTTP client. Credentials go to its host and nowhere else: redirects
/// are not followed.
#[derive(Debug, Clone)]
pub struct Connection {
    pub(super) url: Url,
    pub(super) client: reqwest::Client,
    pub(super) username: String,
    pub(super) token: Option<Secret<String>>,
    /// Authorities in addition to the system's.
    pub(super) ca_pem: Vec<u8>,
    /// As git's own configuration wants it; none if the host is reached without.
    pub(super) proxy: Option<String>,
}

impl Connection {
    /// Checks the address and prepares the client. `ca_pem` may add an authority.
    ///
    /// # Errors
    /// For anything but https (http is only taken to this machine itself), for addresses that carry
    /// credentials, and for unusable authorities.
    pub fn new(
        url: &str,
        username: &str,
        token: &str,
        ca_pem: &[u8],
        proxy: Option<(&Url, Option<&str>)>,
    ) -> Result<Self, FetchError> {
        let url = Url::parse(url).map_err(|_| FetchError::Address)?;
        let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let scheme_is_fine = url.scheme() == "https" || (url.scheme() == "http" && is_local);
        if !scheme_is_fine || url.host().is_none() {
            return Err(FetchError::Address);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Address);
        }
        let client = http_client::for_repository(ca_pem, proxy)?;
        let proxy = proxy
            .filter(|(_, exceptions)| !is_excepted(&url, *exceptions))
            .map(|(proxy, _)| proxy.to_string());
        let username = if username.is_empty() { "git" } else { username };
        Ok(Self {
            url,
            client,
            username: username.to_owned(),
            token: (!token.is_empty()).then(|| Secret::new(token.to_owned())),
            ca_pem: ca_pem.to_vec(),
            proxy,
        })
    }

    /// The repository's own address with a suffix of the smart protocol.
    pub(super) fn at(&self, suffix: &str) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        format!("{}/{suffix}", url.as_str().trim_end_matches('/'))
    }
}

/// Whether a host is reached without the proxy: it is named, or is below a domain that is.
fn is_excepted(url: &Url, exceptions: Option<&str>) -> bool {
    let host = url.host_str().unwrap_or_default();
    let names = exceptions.unwrap_or_default().split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).any(|name| {
        let domain = name.trim_start_matches('.');
        let is_below = host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        name == "*" || is_below
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_addresses_are_taken() {
        let make = |url: &str| Connection::new(url, "", "t", &[], None);
        assert!(make("https://git.example/a/b.git").is_ok());
        assert!(make("http://127.0.0.1:8/a").is_ok());
        for url in [
            "http://git.example/a",
            "file:///etc",
            "https://u:p@git.example/a",
            "ext::sh",
            "-x",
            "git@github.com:a/b.git",
        ] {
            assert!(matches!(make(url), Err(FetchError::Address)), "{url}");
        }
    }
}
