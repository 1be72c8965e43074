//! A TLS proxy before the server that writes down what the CLI asks for, in order.
//!
//! Absolute URLs in answers are turned towards the proxy, so that uploads and logs pass it too.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::TestCertificate;

/// One request and how it was answered.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub method: String,
    /// With the query.
    pub path: String,
    pub status: u16,
    /// Whether it carried an `Authorization` header.
    pub authorized: bool,
    /// The body, if it was JSON.
    pub body: Option<serde_json::Value>,
}

/// The running proxy; it ends when dropped.
pub struct Recorder {
    address: SocketAddr,
    ca_file: PathBuf,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    /// `https://localhost:PORT` of the server and of the proxy.
    upstream: String,
    own: String,
    client: reqwest::Client,
    log: Mutex<Vec<Recorded>>,
}

impl Recorder {
    /// Proxies `upstream` (`https://localhost:PORT`), which presents a certificate of `ca_file`;
    /// keeps its own CA in `directory`.
    pub async fn start(upstream: &str, ca_file: &Path, directory: &Path) -> Self {
        let certificate = TestCertificate::new();
        let own_ca = directory.join("recorder-ca.pem");
        certificate.write_ca(&own_ca);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream: upstream.trim_end_matches('/').to_owned(),
            own: format!("https://localhost:{}", address.port()),
            client: client(ca_file),
            log: Mutex::default(),
        });
        let acceptor = TlsAcceptor::from(certificate.server);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Self {
            address,
            ca_file: own_ca,
            shared,
            _tasks: tasks,
        }
    }

    pub fn url(&self) -> &str {
        &self.shared.own
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What `SSL_CERT_FILE` has to name.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// Whether something of that kind was recorded since the last [`Self::take`].
    pub fn has(&self, wanted: impl Fn(&Recorded) -> bool) -> bool {
        self.shared.log.lock().iter().any(wanted)
    }

    /// What was recorded since the last call.
    pub fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.shared.log.lock())
    }
}

/// An HTTP client that trusts the authority in `ca_file` and follows no redirects.
pub fn client(ca_file: &Path) -> reqwest::Client {
    // Another test in this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pem = std::fs::read(ca_file).unwrap();
    let authority = reqwest::Certificate::from_pem(&pem).unwrap();
    reqwest::Client::builder()
        .tls_certs_only([authority])
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = service_fn(|request| forward(Arc::clone(&shared), request));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn forward(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head
        .uri
        .path_and_query()
        .map_or("/", |it| it.as_str())
        .to_owned();
    let mut outgoing = shared
        .client
        .request(head.method.clone(), format!("{}{path}", shared.upstream));
    for (name, value) in &head.headers {
        let name = name.as_str();
        if !matches!(
            name,
            "host" | "connection" | "content-length" | "accept-encoding" | "transfer-encoding"
        ) {
            outgoing = outgoing.header(name, value);
        }
    }
    let json = serde_json::from_slice(&body).ok();
    let answer = outgoing.body(body).send().await;
    let status = answer
        .as_ref()
        .map_or(StatusCode::BAD_GATEWAY, reqwest::Response::status);
    shared.log.lock().push(Recorded {
        method: head.method.to_string(),
        path,
        status: status.as_u16(),
        authorized: head.headers.contains_key("authorization"),
        body: json,
    });
    Ok(match answer {
        Ok(answer) => pass_back(&shared, answer).await,
        Err(error) => text(StatusCode::BAD_GATEWAY, error.to_string()),
    })
}

async fn pass_back(shared: &Shared, answer: reqwest::Response) -> Response<Full<Bytes>> {
    let (status, headers) = (answer.status(), answer.headers().clone());
    let Ok(body) = answer.bytes().await else {
        return text(
            StatusCode::BAD_GATEWAY,
            "the server's answer broke off".to_owned(),
        );
    };
    let is_json = headers
        .get("content-type")
        .is_some_and(|it| it.to_str().is_ok_and(|it| it.contains("json")));
    let body = match std::str::from_utf8(&body) {
        Ok(json) if is_json => Bytes::from(json.replace(&shared.upstream, &shared.own)),
        _ => body,
    };
    let mut response = Response::builder().status(status);
    for (name, value) in &headers {
        if matches!(
            name.as_str(),
            "content-length" | "transfer-encoding" | "connection"
        ) {
            continue;
        }
        let value = value
            .to_str()
            .unwrap_or_default()
            .replace(&shared.upstream, &shared.own);
        response = response.header(name, value);
    }
    response.body(Full::new(body)).unwrap()
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
}
