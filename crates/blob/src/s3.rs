//! S3 and what speaks its protocol.
//!
//! The HTTP client is built here rather than by `object_store`, so that TLS is rustls with ring
//! and the system's certificates, whatever the process has set up otherwise.

use std::sync::Arc;
use std::time::Duration;

use domain::Secret;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{HttpClient, HttpConnector};
use object_store::{ClientOptions, RetryConfig};

use crate::error::{Error, Result};

/// Long enough for a part on a narrow link.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A request that fails is tried again for this long; then whoever asked hears of it.
const RETRY_LIMIT: Duration = Duration::from_secs(30);
const RETRIES: usize = 4;

/// Where the bucket is.
#[derive(Debug, Clone)]
pub struct S3Settings {
    pub bucket: String,
    pub region: String,
    /// For servers other than Amazon's: `https://HOST[:PORT]`, buckets in the path.
    pub endpoint: Option<String>,
    /// Without keys the machine's instance role is used.
    pub access_key_id: Option<String>,
    pub secret_access_key: Option<Secret>,
    /// Lets `endpoint` be `http://`. Objects are encrypted all the same, the keys are not sent.
    pub allow_http: bool,
    /// Begins every key in the bucket, without slashes at its ends. May be empty.
    pub prefix: String,
}

impl S3Settings {
    pub(crate) fn connect(&self) -> Result<AmazonS3> {
        let retry = RetryConfig {
            max_retries: RETRIES,
            retry_timeout: RETRY_LIMIT,
            ..Default::default()
        };
        let allow_http = self.allow_http;
        self.build(retry, Connector { allow_http })
    }

    /// With a client of the caller's, and without trying anything again: the caller does.
    pub(crate) fn connect_through(&self, client: reqwest::Client) -> Result<AmazonS3> {
        let retry = RetryConfig {
            max_retries: 0,
            ..Default::default()
        };
        self.build(retry, Given(client))
    }

    fn build(&self, retry: RetryConfig, connector: impl HttpConnector) -> Result<AmazonS3> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_allow_http(self.allow_http)
            .with_retry(retry)
            .with_http_connector(connector);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        }
        match (&self.access_key_id, &self.secret_access_key) {
            (Some(id), Some(secret)) => {
                builder = builder
                    .with_access_key_id(id)
                    .with_secret_access_key(secret.expose());
            }
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => {
                let reason = "access key id and secret access key come together".to_owned();
                return Err(Error::Settings { reason });
            }
        }
        builder.build().map_err(|error| Error::Settings {
            reason: error.to_string(),
        })
    }
}

#[derive(Debug)]
struct Connector {
    allow_http: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls().map_err(broken)?)
            .https_only(!self.allow_http)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(broken)?;
        Ok(HttpClient::new(client))
    }
}

/// A client that is there already.
#[derive(Debug)]
struct Given(reqwest::Client);

impl HttpConnector for Given {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

fn tls() -> std::result::Result<rustls::ClientConfig, rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> object_store::Error {
    object_store::Error::Generic {
        store: "S3",
        source: Box::new(error),
    }
}
