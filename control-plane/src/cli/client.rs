//! How a command talks to a control plane: as any other client of the API.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use domain::Secret;
use reqwest::{Method, RequestBuilder, Response, Url};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;

use super::failure::Failure;

const JSON_API: &str = "application/vnd.api+json";
const CONNECT: Duration = Duration::from_secs(15);
/// How long the server may be silent.
const SILENCE: Duration = Duration::from_secs(120);

/// Which control plane, and as whom.
#[derive(Debug, Args)]
pub(super) struct Connection {
    /// The control plane's address, such as https://terrane.example.com.
    #[arg(long, env = "TERRANE_ADDRESS", value_name = "URL")]
    address: Url,
    /// A file with an API token. Without it the token is taken from TERRANE_TOKEN.
    #[arg(long, env = "TERRANE_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// An API token; better given in the environment, because other users see arguments.
    #[arg(
        long,
        env = "TERRANE_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    token: Option<Secret>,
    /// Certificates to trust besides the system's, PEM.
    #[arg(long, env = "TERRANE_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// A connected client.
pub(super) struct Client {
    http: reqwest::Client,
    address: Url,
    token: Secret,
}

impl Connection {
    /// # Errors
    /// A token or a CA that can't be had.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls()?)
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            // A token must not follow a redirect to another host.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Failure::failed("no HTTP client", error))?;
        Ok(Client {
            http,
            address: self.address.clone(),
            token: self.token()?,
        })
    }

    fn token(&self) -> Result<Secret, Failure> {
        if let Some(file) = &self.token_file {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::failed(&format!("{} can't be read", file.display()), error)
            })?;
            return Ok(Secret::new(text.trim().to_owned()));
        }
        self.token.clone().ok_or_else(|| {
            Failure::new("no token: name a file with --token-file, or set TERRANE_TOKEN")
        })
    }

    fn tls(&self) -> Result<rustls::ClientConfig, Failure> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(file) = &self.ca_file {
            let bad = |reason: String| {
                Failure::new(format!("{}: no certificates: {reason}", file.display()))
            };
            let pem = std::fs::read(file).map_err(|error| bad(error.to_string()))?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|error| bad(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| bad(error.to_string()))?;
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::failed("TLS can't be used", error))?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

impl Client {
    fn call(&self, method: Method, path: &str) -> Result<RequestBuilder, Failure> {
        let url = self
            .address
            .join(&format!("/api/v2/{path}"))
            .map_err(|error| Failure::failed("the address can't be used", error))?;
        Ok(self
            .http
            .request(method, url)
            .bearer_auth(self.token.expose())
            .header("accept", JSON_API))
    }

    /// A document of the API.
    ///
    /// # Errors
    /// What the server said was wrong, or that it couldn't be reached.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        json(send(self.call(Method::GET, path)?).await?).await
    }

    /// As [`Self::get`], as text of another type.
    pub(super) async fn get_text(&self, path: &str) -> Result<String, Failure> {
        send(self.call(Method::GET, path)?)
            .await?
            .text()
            .await
            .map_err(|error| Failure::failed("the answer broke off", error))
    }

    /// Writes the body of an answer to `out` as it comes; gives the answer's headers.
    ///
    /// # Errors
    /// As for [`Self::get`], or that nothing can be written.
    pub(super) async fn download(
        &self,
        path: &str,
        out: &mut impl std::io::Write,
    ) -> Result<reqwest::header::HeaderMap, Failure> {
        let mut response = send(self.call(Method::GET, path)?).await?;
        let headers = response.headers().clone();
        let broken = |error| Failure::failed("the answer broke off", error);
        while let Some(part) = response.chunk().await.map_err(broken)? {
            out.write_all(&part)
                .map_err(|error| Failure::failed("it can't be written", error))?;
        }
        out.flush()
            .map_err(|error| Failure::failed("it can't be written", error))?;
        Ok(headers)
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let call = self
            .call(Method::POST, path)?
            .header("content-type", JSON_API)
            .body(body.to_string());
        json(send(call).await?).await
    }

    /// Sends bytes to a signed URL, which needs no token.
    pub(super) async fn upload(&self, url: &str, content: Vec<u8>) -> Result<(), Failure> {
        let call = self
            .http
            .put(url)
            .header("content-type", "application/octet-stream")
            .body(content);
        send(call).await.map(drop)
    }
}

async fn send(call: RequestBuilder) -> Result<Response, Failure> {
    let response = call
        .send()
        .await
        .map_err(|error| Failure::failed("the control plane can't be reached", error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let error = &body["errors"][0];
    let said = match (error["detail"].as_str(), error["code"].as_str()) {
        (Some(detail), Some(code)) => format!("{detail} ({code})"),
        _ => "without a word of why".to_owned(),
    };
    Err(Failure::new(format!(
        "the control plane answered {status}: {said}"
    )))
}

async fn json(response: Response) -> Result<Value, Failure> {
    response
        .json()
        .await
        .map_err(|error| Failure::failed("the answer is no JSON", error))
}
