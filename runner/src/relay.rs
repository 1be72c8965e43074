//! Lets a step reach the control plane's registry and remote state through the runner.
//!
//! One small HTTP listener for each job that names the control plane's host, on an address that the
//! step can reach and under a path that only it knows. What comes in is carried out by the control
//! plane itself with the job's own token, so that the step needs neither a route to it, nor its
//! certificate authority, nor a token.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use protocol::v1::{RelayChunk, RelayRequest};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::job::cli_config::ApiHost;
use crate::wire::{Lane, Refused, Wire};

/// The only headers of a step that are passed on.
const PASSED_ON: &[&str] = &["accept", "x-terraform-version", "tfp-api-version"];
/// Headers whose value may be an address of the control plane.
const ADDRESSES: &[&str] = &["x-terraform-get", "location"];
/// A JSON answer up to this size has its addresses rewritten.
const REWRITTEN: usize = 4 * 1024 * 1024;
const DISCOVERY: &str = "/.well-known/terraform.json";

type Body = UnsyncBoxBody<Bytes, tonic::Status>;

/// Where a relay listens; kept with the job, so that it is the same after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayAddress {
    pub listen: SocketAddr,
    /// First part of every path.
    pub secret: String,
    /// `host[:port]` that configurations name.
    pub api_host: String,
}

/// Whose requests are relayed.
#[derive(Debug, Clone)]
pub struct RelayJob {
    pub job_id: String,
    pub epoch: u64,
}

/// A listening relay; it ends when this is dropped.
#[derive(Debug)]
pub struct Relay {
    address: RelayAddress,
    listener: TcpListener,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    wire: Wire,
    job: RelayJob,
    secret: String,
    /// What addresses of the control plane begin with, and what they become.
    outside: String,
    inside: String,
}

impl Relay {
    /// Listens on a free port of `address`.
    ///
    /// # Errors
    /// The network's own.
    pub async fn begin(
        wire: Wire,
        job: RelayJob,
        address: IpAddr,
        api_host: &str,
    ) -> std::io::Result<Self> {
        let secret = hex::encode(rand::random::<[u8; 24]>());
        let address = RelayAddress {
            listen: SocketAddr::new(address, 0),
            secret,
            api_host: api_host.to_owned(),
        };
        Self::again(wire, job, address).await
    }

    /// Listens where it listened before.
    ///
    /// # Errors
    /// The network's own.
    pub async fn again(
        wire: Wire,
        job: RelayJob,
        mut address: RelayAddress,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address.listen).await?;
        address.listen = listener.local_addr()?;
        let shared = Shared {
            wire,
            job,
            secret: address.secret.clone(),
            outside: format!("https://{}/", address.api_host),
            inside: format!("http://{}/{}/", address.listen, address.secret),
        };
        Ok(Self {
            address,
            listener,
            shared: Arc::new(shared),
        })
    }

    pub fn address(&self) -> &RelayAddress {
        &self.address
    }

    /// Asks the control plane for its services and gives them with addresses on this relay.
    ///
    /// # Errors
    /// When the control plane refuses, or its answer is no discovery document.
    pub async fn api_host(&self) -> Result<ApiHost, Refused> {
        let shared = &self.shared;
        let request = shared.request("GET", DISCOVERY, HashMap::new());
        let body = shared
            .wire
            .call(Lane::Bulk, |mut client| {
                let request = request.clone();
                async move {
                    let mut chunks = client.relay(request).await?.into_inner();
                    let mut body = Vec::new();
                    while let Some(chunk) = chunks.message().await? {
                        body.extend_from_slice(&chunk.data);
                        if body.len() > REWRITTEN {
                            return Err(tonic::Status::data_loss("discovery is too long"));
                        }
                    }
                    Ok(body)
                }
            })
            .await?;
        let document: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&body)
            .map_err(|_| Refused::Status("its discovery document can't be read".to_owned()))?;
        let services = document
            .into_iter()
            .filter_map(|(name, value)| Some((name, self.inside(value.as_str()?))))
            .collect();
        Ok(ApiHost {
            host: self.address.api_host.clone(),
            services,
            token: self.address.secret.clone(),
        })
    }

    fn inside(&self, address: &str) -> String {
        match address.strip_prefix('/') {
            Some(path) => format!("{}{path}", self.shared.inside),
            None => address.replace(&self.shared.outside, &self.shared.inside),
        }
    }

    /// Answers until it is dropped.
    pub async fn serve(&self) -> Infallible {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let shared = Arc::clone(&self.shared);
                        connections.spawn(async move {
                            let service = service_fn(move |request| {
                                let shared = Arc::clone(&shared);
                                async move { Ok::<_, Infallible>(shared.answer(request).await) }
                            });
                            let _ = hyper::server::conn::http1::Builder::new()
                                .timer(TokioTimer::new())
                                .serve_connection(TokioIo::new(stream), service)
                                .await;
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a relay can't accept");
                        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

impl Shared {
    fn request(&self, method: &str, path: &str, headers: HashMap<String, String>) -> RelayRequest {
        RelayRequest {
            job_id: self.job.job_id.clone(),
            epoch: self.job.epoch,
            method: method.to_owned(),
            path_and_query: path.to_owned(),
            headers,
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let target = request.uri().path_and_query().map_or("", |it| it.as_str());
        let inside = target
            .strip_prefix('/')
            .and_then(|it| it.strip_prefix(&self.secret));
        let Some(path) = inside.filter(|path| path.starts_with('/')) else {
            return said(StatusCode::NOT_FOUND, "not found");
        };
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return said(StatusCode::METHOD_NOT_ALLOWED, "only reading is relayed");
        }
        let headers = PASSED_ON
            .iter()
            .filter_map(|name| {
                let value = request.headers().get(*name)?.to_str().ok()?;
                Some(((*name).to_owned(), value.to_owned()))
            })
            .collect();
        let asked = self.request(request.method().as_str(), path, headers);
        let relayed = self
            .wire
            .call(Lane::Bulk, |mut client| {
                let asked = asked.clone();
                async move {
                    let mut chunks = client.relay(asked).await?.into_inner();
                    let first = chunks.message().await?;
                    let first = first.ok_or_else(|| tonic::Status::data_loss("no answer"))?;
                    Ok((first, chunks))
                }
            })
            .await;
        match relayed {
            Ok((first, rest)) => self.response(first, rest).await,
            Err(error) => said(StatusCode::BAD_GATEWAY, &error.to_string()),
        }
    }

    async fn response(
        &self,
        first: RelayChunk,
        mut rest: tonic::Streaming<RelayChunk>,
    ) -> Response<Body> {
        let status = u16::try_from(first.status).unwrap_or(502);
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut is_json = false;
        for (name, value) in &first.headers {
            let name = name.to_ascii_lowercase();
            if matches!(
                name.as_str(),
                "content-length" | "transfer-encoding" | "connection"
            ) {
                continue;
            }
            is_json |= name == "content-type" && value.contains("json");
            let value = if ADDRESSES.contains(&name.as_str()) {
                self.rewritten(value)
            } else {
                value.clone()
            };
            if let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_str(&value),
            ) {
                response.headers_mut().append(name, value);
            }
        }
        if !is_json {
            let first = futures::stream::iter([Ok(Frame::data(first.data))]);
            let rest = rest.map(|chunk| chunk.map(|chunk| Frame::data(chunk.data)));
            *response.body_mut() = StreamBody::new(first.chain(rest)).boxed_unsync();
            return response;
        }
        let mut body = first.data.to_vec();
        while let Ok(Some(chunk)) = rest.message().await {
            body.extend_from_slice(&chunk.data);
            if body.len() > 16 * REWRITTEN {
                return said(StatusCode::BAD_GATEWAY, "the answer is too long");
            }
        }
        if body.len() <= REWRITTEN {
            body = self.rewritten(&String::from_utf8_lossy(&body)).into_bytes();
        }
        *response.body_mut() = full(body);
        response
    }

    fn rewritten(&self, text: &str) -> String {
        let text = text.replace(&self.outside, &self.inside);
        // A path alone means the control plane's root, which is below the secret here.
        match text.strip_prefix('/') {
            Some(path) if !path.starts_with('/') => format!("{}{path}", self.inside),
            Some(_) | None => text,
        }
    }
}

fn said(status: StatusCode, sentence: &str) -> Response<Body> {
    let mut response = Response::new(full(sentence.as_bytes().to_vec()));
    *response.status_mut() = status;
    response
}

fn full(body: Vec<u8>) -> Body {
    Full::new(Bytes::from(body))
        .map_err(|never| match never {})
        .boxed_unsync()
}
