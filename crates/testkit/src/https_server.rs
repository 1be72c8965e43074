//! A small HTTPS server whose answers the test gives.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::TestCertificate;

type Answers = Arc<Mutex<BTreeMap<String, (u16, String)>>>;

/// Serves documents on `localhost` and `127.0.0.1`; it ends when dropped.
pub struct HttpsServer {
    port: u16,
    ca_pem: String,
    answers: Answers,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl HttpsServer {
    /// Knows no document yet: every request is answered with 404.
    pub async fn start() -> Self {
        let certificate = TestCertificate::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(certificate.server);
        let answers = Answers::default();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(
            listener,
            acceptor,
            answers.clone(),
            requests.clone(),
        ));
        Self {
            port,
            ca_pem: certificate.ca_pem,
            answers,
            requests,
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
        self.answers.lock().insert(path.to_owned(), answer);
    }

    /// Every request so far: `PATH AUTHORIZATION`.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().clone()
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    answers: Answers,
    requests: Arc<Mutex<Vec<String>>>,
) {
    let mut tasks = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, answers) = (acceptor.clone(), answers.clone());
        let requests = Arc::clone(&requests);
        tasks.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = service_fn(|request| {
                let answer = answer(&request, &answers, &requests);
                async move { Ok::<_, Infallible>(answer) }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn answer(
    request: &Request<Incoming>,
    answers: &Answers,
    requests: &Mutex<Vec<String>>,
) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let header = request.headers().get("authorization");
    let authorization = header.and_then(|it| it.to_str().ok()).unwrap_or_default();
    requests.lock().push(format!("{path} {authorization}"));
    let known = answers.lock().get(path).cloned();
    let (status, body) = known.unwrap_or_else(|| (404, "not here".to_owned()));
    let mut response = Response::builder().status(status);
    if (300..400).contains(&status) {
        response = response.header("location", body.as_str());
    }
    response.body(Full::new(Bytes::from(body))).unwrap()
}
