//! A small HTTPS server whose answers the test gives.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::TestCertificate;

/// Something that was sent here.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// What was asked, and what is answered to what.
#[derive(Default)]
struct Shared {
    answers: BTreeMap<String, (u16, String)>,
    /// The status of what is put or posted to a path without an answer of its own.
    deliveries_status: Option<u16>,
    requests: Vec<String>,
    deliveries: Vec<Delivery>,
}

/// Serves documents on `localhost` and `127.0.0.1`; it ends when dropped.
pub struct HttpsServer {
    port: u16,
    ca_pem: String,
    shared: Arc<Mutex<Shared>>,
    _tasks: JoinSet<()>,
}

impl HttpsServer {
    /// Knows no document yet: every request is answered with 404.
    pub async fn start() -> Self {
        let certificate = TestCertificate::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(certificate.server);
        let shared = Arc::new(Mutex::new(Shared::default()));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Self {
            port,
            ca_pem: certificate.ca_pem,
            shared,
            _tasks: tasks,
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The authority that its certificate is of.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// What is answered at `path` from now on. A redirect leads to the body.
    pub fn answer(&self, path: &str, status: u16, body: &str) {
        let answer = (status, body.to_owned());
        self.shared.lock().answers.insert(path.to_owned(), answer);
    }

    /// The status with which whatever is put or posted is answered from now on.
    pub fn take_deliveries(&self, status: u16) {
        self.shared.lock().deliveries_status = Some(status);
    }

    /// What was put or posted so far, also what was not taken.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.lock().deliveries.clone()
    }

    /// Every request so far: `PATH AUTHORIZATION`.
    pub fn requests(&self) -> Vec<String> {
        self.shared.lock().requests.clone()
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Mutex<Shared>>) {
    let mut tasks = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        tasks.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = service_fn(|request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(answer(request, &shared).await) }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(request: Request<Incoming>, shared: &Mutex<Shared>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|it| it.to_bytes());
    let body = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
    let path = parts.uri.path().to_owned();
    let text = |value: &hyper::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers: BTreeMap<String, String> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect();
    let mut shared = shared.lock();
    let authorization = headers.get("authorization").cloned().unwrap_or_default();
    shared.requests.push(format!("{path} {authorization}"));
    let known = shared.answers.get(&path).cloned();
    let mut known = known.unwrap_or_else(|| (404, "not here".to_owned()));
    if let "POST" | "PUT" = parts.method.as_str() {
        if let Some(status) = shared.deliveries_status {
            known = (status, String::new());
        }
        shared.deliveries.push(Delivery {
            method: parts.method.to_string(),
            path,
            headers,
            body,
        });
    }
    let (status, body) = known;
    // Clients of buckets want one.
    let mut response = Response::builder().status(status).header("etag", "\"1\"");
    if (300..400).contains(&status) {
        response = response.header("location", body.as_str());
    }
    response.body(Full::new(Bytes::from(body))).unwrap()
}
