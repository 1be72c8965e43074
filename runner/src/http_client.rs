//! The HTTP client for downloads and repositories: rustls, the system's trust, no redirects that
//! carry anything secret.

use std::sync::Arc;

use url::Url;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be made: {0}")]
pub struct ClientError(String);

/// TLS that trusts the system's authorities and those in `extra_pem`.
///
/// # Errors
/// When `extra_pem` holds no certificate, or TLS can't be set up.
pub(crate) fn tls(extra_pem: &[u8]) -> Result<rustls::ClientConfig, ClientError> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if !extra_pem.is_empty() {
        for certificate in CertificateDer::pem_slice_iter(extra_pem) {
            let certificate = certificate.map_err(|error| ClientError(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| ClientError(error.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A client for downloads.
///
/// # Errors
/// [`ClientError`].
pub(crate) fn for_downloads(
    proxy: Option<&Url>,
    no_proxy: Option<&str>,
) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(&[])?)
        .connect_timeout(std::time::Duration::from_secs(15))
        .no_proxy();
    if let Some(url) = proxy {
        let proxy = reqwest::Proxy::all(url.clone()).map_err(|e| ClientError(e.to_string()))?;
        let exceptions = no_proxy.and_then(reqwest::NoProxy::from_string);
        builder = builder.proxy(proxy.no_proxy(exceptions));
    }
    builder
        .build()
        .map_err(|error| ClientError(error.to_string()))
}

/// A client for one repository: its own authorities, and no redirects at all, so that credentials
/// never go to another host.
///
/// # Errors
/// [`ClientError`].
pub(crate) fn for_repository(
    ca_pem: &[u8],
    proxy: Option<(&Url, Option<&str>)>,
) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(ca_pem)?)
        .connect_timeout(std::time::Duration::from_secs(15))
        .read_timeout(std::time::Duration::from_secs(120))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    if let Some((url, exceptions)) = proxy {
        let proxy = reqwest::Proxy::all(url.clone()).map_err(|e| ClientError(e.to_string()))?;
        let exceptions = exceptions.and_then(reqwest::NoProxy::from_string);
        builder = builder.proxy(proxy.no_proxy(exceptions));
    }
    builder
        .build()
        .map_err(|error| ClientError(error.to_string()))
}
