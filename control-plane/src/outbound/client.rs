//! Asking an address for a document.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::Secret;
use http::HeaderMap;
use reqwest::{Client, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::guard::{Guard, OutOfBounds};

const CONNECT: Duration = Duration::from_secs(10);
/// For a whole request: who asks may be waiting.
const WHOLE: Duration = Duration::from_secs(30);
const NAME: &str = concat!("terrane/", env!("CARGO_PKG_VERSION"));

/// Why an address gave nothing; a sentence for whoever named it.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("it is no https:// URL with a host, and without user, password or fragment")]
    Url,
    #[error(transparent)]
    OutOfBounds(#[from] Blocked),
    #[error("it can't be reached: {0}")]
    Unreachable(String),
    #[error("it did not answer within {} seconds", WHOLE.as_secs())]
    Slow,
    #[error("it answers with status {status}{hint}")]
    Status { status: u16, hint: &'static str },
    #[error("it gives more than {limit} bytes")]
    TooLarge { limit: usize },
}

/// The guard's refusal.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Blocked(OutOfBounds);

/// The operator's certificates can't be used.
#[derive(Debug, thiserror::Error)]
#[error("no certificates: {0}")]
pub struct TrustError(String);

/// The client; cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    http: Client,
    guard: Guard,
}

impl Outbound {
    /// Trusts the system's certificates and those in `ca_pem`.
    ///
    /// # Errors
    /// [`TrustError`] when `ca_pem` can't be read.
    pub fn new(guard: Guard, ca_pem: Option<&[u8]>) -> Result<Self, TrustError> {
        let http = Client::builder()
            .tls_backend_preconfigured(tls(ca_pem)?)
            .dns_resolver(Arc::new(guard.clone()))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .user_agent(NAME)
            .build()
            .map_err(|error| TrustError(error.to_string()))?;
        Ok(Self { http, guard })
    }

    /// The body of a document of at most `limit` bytes; `token` goes along as a bearer's.
    ///
    /// # Errors
    /// [`OutboundError`], whose text may be shown to the tenant: it holds nothing of the answer.
    pub async fn get(
        &self,
        url: &Url,
        token: Option<&Secret>,
        limit: usize,
    ) -> Result<Vec<u8>, OutboundError> {
        self.check(url)?;
        let mut request = self.http.get(url.clone());
        if let Some(token) = token {
            request = request.bearer_auth(token.expose());
        }
        body(request, limit).await
    }

    /// Sends a form, as to the token endpoint of an OAuth server, and gives the answer of at most
    /// `limit` bytes; `client` names itself in the `Authorization` header (RFC 6749, section 2.3.1).
    ///
    /// # Errors
    /// As [`Outbound::get`].
    pub async fn post_form(
        &self,
        url: &Url,
        client: Option<(&str, &Secret)>,
        form: &[(&str, &str)],
        limit: usize,
    ) -> Result<Vec<u8>, OutboundError> {
        self.check(url)?;
        let mut request = self.http.post(url.clone()).form(form);
        if let Some((id, secret)) = client {
            request = request.basic_auth(escaped(id), Some(escaped(secret.expose())));
        }
        body(request, limit).await
    }

    /// Posts `body`. What is answered is not read, but for whether it went well.
    ///
    /// # Errors
    /// As for [`Outbound::get`].
    pub async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<(), OutboundError> {
        self.check(url)?;
        let request = self.http.post(url.clone()).headers(headers).body(body);
        let status = request.send().await.map_err(failure)?.status();
        if status.is_success() {
            return Ok(());
        }
        Err(OutboundError::Status {
            status: status.as_u16(),
            hint: hint(status),
        })
    }

    /// The client itself, for a protocol of its own over it. Whoever takes it asks [`Outbound::check`]
    /// of the address first: what is no name is not resolved.
    pub fn client(&self) -> Client {
        self.http.clone()
    }

    /// Why a bucket that was reached through [`Outbound::client`] took nothing; a sentence for whoever
    /// named it, with nothing of the answer in it.
    pub fn reason(&self, error: &blob::Error) -> String {
        if let Some(blocked) = blocked(error) {
            return blocked.to_string();
        }
        if error.is_refused() {
            return "the bucket refuses these keys".to_owned();
        }
        if error.is_absent() {
            return "there is no such bucket".to_owned();
        }
        if let blob::Error::Settings { .. } = error {
            return "its settings can't be used".to_owned();
        }
        "the bucket can't be reached, or takes nothing now".to_owned()
    }

    /// Whether an address may be called, as far as it can be told without asking for its name.
    ///
    /// # Errors
    /// [`OutboundError::Url`], [`OutboundError::OutOfBounds`].
    pub fn check(&self, url: &Url) -> Result<(), OutboundError> {
        let host = url.host_str().unwrap_or_default();
        let bare = url.username().is_empty() && url.password().is_none();
        if url.scheme() != "https" || host.is_empty() || !bare || url.fragment().is_some() {
            return Err(OutboundError::Url);
        }
        // A host that is an address is never resolved.
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        match address {
            Ok(address) if !self.guard.lets_through(address) => Err(Blocked(OutOfBounds {
                name: host.to_owned(),
            })
            .into()),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// The answer's body, if it is a success of at most `limit` bytes.
async fn body(request: reqwest::RequestBuilder, limit: usize) -> Result<Vec<u8>, OutboundError> {
    let mut answer = request.send().await.map_err(failure)?;
    let status = answer.status();
    if !status.is_success() {
        return Err(OutboundError::Status {
            status: status.as_u16(),
            hint: hint(status),
        });
    }
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(failure)? {
        if body.len() + part.len() > limit {
            return Err(OutboundError::TooLarge { limit });
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn hint(status: reqwest::StatusCode) -> &'static str {
    if status.is_redirection() {
        " (redirects are not followed: name the address that it leads to)"
    } else {
        ""
    }
}

fn failure(error: reqwest::Error) -> OutboundError {
    if error.is_timeout() {
        return OutboundError::Slow;
    }
    if let Some(blocked) = blocked(&error) {
        return blocked.into();
    }
    let mut cause: &dyn Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    OutboundError::Unreachable(cause.to_string())
}

/// The guard's refusal among the causes of an error.
fn blocked(error: &(dyn Error + 'static)) -> Option<Blocked> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(blocked) = cause.downcast_ref::<OutOfBounds>() {
            let name = blocked.name.clone();
            return Some(Blocked(OutOfBounds { name }));
        }
        next = cause.source();
    }
    None
}

fn tls(ca_pem: Option<&[u8]>) -> Result<rustls::ClientConfig, TrustError> {
    let bad = |reason: &dyn Error| TrustError(reason.to_string());
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in CertificateDer::pem_slice_iter(ca_pem.unwrap_or_default()) {
        let certificate = certificate.map_err(|error| bad(&error))?;
        roots.add(certificate).map_err(|error| bad(&error))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(&error))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests;
