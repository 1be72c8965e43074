//! A local S3 server in the test process: signatures checked, objects kept as files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const BUCKET: &str = "blobs";
const ACCESS_KEY: &str = "test-access-key";
const SECRET_KEY: &str = "test-secret-key";
/// No limit on the number of requests.
const HEALTHY: u32 = u32::MAX;

/// The server, with one bucket. It ends when dropped.
pub struct LocalS3 {
    endpoint: String,
    dir: TempDir,
    /// Requests that are still answered.
    answers: Arc<AtomicU32>,
    _server: JoinSet<()>,
}

impl LocalS3 {
    /// Starts on a free loopback port, on the current tokio runtime.
    pub async fn start() -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::create_dir(dir.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(dir.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(AtomicU32::new(HEALTHY));
        let mut server = JoinSet::new();
        server.spawn(accept(listener, service.build(), answers.clone()));
        Self {
            endpoint,
            dir,
            answers,
            _server: server,
        }
    }

    /// `http://127.0.0.1:PORT`; buckets are in the path.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn bucket(&self) -> &str {
        BUCKET
    }

    pub fn region(&self) -> &str {
        "us-east-1"
    }

    pub fn access_key_id(&self) -> &str {
        ACCESS_KEY
    }

    pub fn secret_access_key(&self) -> &str {
        SECRET_KEY
    }

    /// The directory that holds the bucket's objects, each under its key.
    pub fn objects(&self) -> PathBuf {
        self.dir.path().join(BUCKET)
    }

    /// Where everything lies, unfinished uploads too.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Answers this many more requests, then closes every connection instead of answering.
    pub fn break_after(&self, requests: u32) {
        self.answers.store(requests, Ordering::SeqCst);
    }

    /// Answers again.
    pub fn repair(&self) {
        self.answers.store(HEALTHY, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, service: S3Service, answers: Arc<AtomicU32>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((socket, _)) = accepted {
                connections.spawn(serve(socket, service.clone(), answers.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(socket: TcpStream, service: S3Service, answers: Arc<AtomicU32>) {
    let service = service_fn(move |request| answer(service.clone(), answers.clone(), request));
    // A client that goes away is no concern of the server.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

async fn answer(
    service: S3Service,
    answers: Arc<AtomicU32>,
    request: Request<Incoming>,
) -> io::Result<Response<s3s::Body>> {
    let left = answers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| match left {
        HEALTHY => Some(HEALTHY),
        left => left.checked_sub(1),
    });
    if left.is_err() {
        return Err(io::Error::from(io::ErrorKind::ConnectionReset));
    }
    service
        .call(request.map(s3s::Body::from))
        .await
        .map_err(|error| io::Error::other(format!("{error:?}")))
}
