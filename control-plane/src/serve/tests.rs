//! The listeners, over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use telemetry::metrics::Registry;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::*;
use crate::clock::Clock;
use crate::supervise::{Deadlines, Stop, Supervisor, TaskMetrics};

/// Long enough for a machine that does something else; nothing waits that long when all is well.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart() {
    let directory = TempDir::new().unwrap();
    let (files, first) = certificate_in(&directory);
    let live = LiveCertificate::load(files).await.unwrap();
    let server = Served::start(Scheme::Https(live.server_config().unwrap()), 10);

    assert_eq!(server.peer_certificate(&first).await.unwrap(), first);

    let (_, second) = certificate_in(&directory);
    live.reload().await.unwrap();
    assert_eq!(server.peer_certificate(&second).await.unwrap(), second);
    assert!(server.peer_certificate(&first).await.is_err());
}

#[tokio::test]
async fn a_pair_that_does_not_fit_leaves_the_old_one_in_use() {
    let directory = TempDir::new().unwrap();
    let (files, first) = certificate_in(&directory);
    let live = LiveCertificate::load(files.clone()).await.unwrap();
    let server = Served::start(Scheme::Https(live.server_config().unwrap()), 10);
    let key_before = std::fs::read(&files.key).unwrap();

    let (_, second) = certificate_in(&directory);
    let new_key = std::fs::read(&files.key).unwrap();
    std::fs::write(&files.key, key_before).unwrap();
    let error = live.reload().await.unwrap_err();
    assert!(
        matches!(error, CertificateError::Mismatch { .. }),
        "{error}"
    );
    assert_eq!(server.peer_certificate(&first).await.unwrap(), first);

    std::fs::write(&files.key, new_key).unwrap();
    live.reload().await.unwrap();
    assert_eq!(server.peer_certificate(&second).await.unwrap(), second);
}

#[tokio::test]
async fn files_without_a_certificate_are_named() {
    let directory = TempDir::new().unwrap();
    let (files, _) = certificate_in(&directory);
    std::fs::write(&files.certificate, "nothing").unwrap();
    let error = LiveCertificate::load(files).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("server.pem holds no certificate"),
        "{error}"
    );
}

#[tokio::test]
async fn one_connection_too_many_is_closed() {
    let server = Served::start(Scheme::Http, 1);
    let mut first = server.connect().await;
    assert!(request(&mut first, "/fast").await.ends_with("done"));

    let mut second = server.connect().await;
    assert_eq!(request(&mut second, "/fast").await, "");

    drop(first);
    let answer = tokio::time::timeout(PATIENCE, async {
        loop {
            let mut third = server.connect().await;
            let answer = request(&mut third, "/fast").await;
            if !answer.is_empty() {
                break answer;
            }
        }
    });
    assert!(answer.await.unwrap().ends_with("done"));
    let metrics = server.registry.render().unwrap();
    assert!(metrics.contains("terrane_http_connections_refused_total{listener=\"test\"}"));
}

#[tokio::test]
async fn a_stop_lets_a_request_finish_and_takes_no_new_one() {
    let server = Served::start(Scheme::Http, 10);
    let mut slow = server.connect().await;
    send(&mut slow, "/slow").await;
    server.begun.acquire().await.unwrap().forget();

    server.stop.ask();
    // The listener is closed once connecting fails.
    let closed = tokio::time::timeout(PATIENCE, async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    closed.await.unwrap();
    server.finish.send(()).unwrap();

    assert!(receive(&mut slow).await.ends_with("done"));
    tokio::time::timeout(PATIENCE, server.running)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn when_time_is_up_requests_are_dropped() {
    let server = Served::start(Scheme::Http, 10);
    let mut slow = server.connect().await;
    send(&mut slow, "/slow").await;
    server.begun.acquire().await.unwrap().forget();

    server.stop.cut_off();

    tokio::time::timeout(PATIENCE, server.running)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(receive(&mut slow).await, "");
}

#[tokio::test]
async fn readiness_follows_the_probes_and_the_stop() {
    let registry = Registry::new();
    let metrics = TaskMetrics::register(&registry).unwrap();
    let supervisor = Supervisor::new(Deadlines::default(), Clock::System, metrics);
    let tasks = supervisor.tasks();
    registry
        .counter("seen_total", "Things seen.")
        .unwrap()
        .inc();
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let probe = Probe {
        name: "database",
        ask: {
            let broken = Arc::clone(&broken);
            Box::new(move || {
                let broken = broken.load(std::sync::atomic::Ordering::Relaxed);
                Box::pin(async move { if broken { Err("gone".into()) } else { Ok(()) } })
            })
        },
    };
    let router = admin_routes(registry, Health::new(tasks.clone(), vec![probe]));
    let server = Served::with_router(Scheme::Http, 10, router);

    assert!(server.get("/healthz").await.ends_with("ok\n"));
    assert!(server.get("/metrics").await.contains("seen_total 1"));
    assert!(server.get("/readyz").await.contains("\"ready\":true"));
    broken.store(true, std::sync::atomic::Ordering::Relaxed);
    let answer = server.get("/readyz").await;
    assert!(
        answer.contains(" 503 ") && answer.contains("\"error\":\"gone\""),
        "{answer}"
    );
    broken.store(false, std::sync::atomic::Ordering::Relaxed);
    tasks.stop().ask();
    assert!(server.get("/readyz").await.contains(" 503 "));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let first = Listener::bind("one", "127.0.0.1:0".parse().unwrap()).unwrap();
    let Err(error) = Listener::bind("two", first.local_address()) else {
        panic!("bound twice")
    };
    assert!(
        error
            .to_string()
            .contains(&first.local_address().to_string()),
        "{error}"
    );
}

struct Served {
    address: SocketAddr,
    stop: Stop,
    registry: Registry,
    begun: Arc<Semaphore>,
    finish: oneshot::Sender<()>,
    running: JoinHandle<std::io::Result<()>>,
}

impl Served {
    fn start(scheme: Scheme, connections: u32) -> Self {
        Self::with_router(scheme, connections, Router::new())
    }

    /// Serves `router` with two routes more: `/fast`, and `/slow`, which waits for `finish`.
    #[expect(clippy::disallowed_methods, reason = "the test owns the task")]
    fn with_router(scheme: Scheme, connections: u32, router: Router) -> Self {
        let listener = Listener::bind("test", "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_address();
        let registry = Registry::new();
        let metrics = ConnectionMetrics::register(&registry).unwrap();
        let (stop, begun) = (Stop::new(), Arc::new(Semaphore::new(0)));
        let (finish, finished) = oneshot::channel::<()>();
        let finished = Arc::new(tokio::sync::Mutex::new(Some(finished)));
        let began = Arc::clone(&begun);
        let slow = move || async move {
            began.add_permits(1);
            if let Some(finished) = finished.lock().await.take() {
                let _ = finished.await;
            }
            "done"
        };
        let router = router
            .route("/fast", get(|| async { "done" }))
            .route("/slow", get(slow));
        let limits = ListenerLimits {
            connections,
            header_timeout: PATIENCE,
        };
        let running = tokio::spawn(listener.serve(scheme, router, limits, metrics, stop.clone()));
        Self {
            address,
            stop,
            registry,
            begun,
            finish,
            running,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn get(&self, path: &str) -> String {
        request(&mut self.connect().await, path).await
    }

    /// Connects as a client that trusts exactly `root`, and tells what it was shown.
    async fn peer_certificate(
        &self,
        root: &CertificateDer<'static>,
    ) -> std::io::Result<CertificateDer<'static>> {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = TlsConnector::from(Arc::new(config))
            .connect(name, self.connect().await)
            .await?;
        Ok(tls.get_ref().1.peer_certificates().unwrap()[0]
            .clone()
            .into_owned())
    }
}

async fn request(stream: &mut TcpStream, path: &str) -> String {
    send(stream, path).await;
    receive(stream).await
}

async fn send(stream: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    // A server that refuses may have closed already.
    let _ = stream.write_all(request.as_bytes()).await;
}

/// One whole response, or nothing if the connection was closed.
async fn receive(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    while !is_complete(&answer) {
        match tokio::time::timeout(PATIENCE, stream.read(&mut buffer))
            .await
            .unwrap()
        {
            Ok(0) | Err(_) => break,
            Ok(n) => answer.extend_from_slice(&buffer[..n]),
        }
    }
    String::from_utf8(answer).unwrap()
}

fn is_complete(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    length
        .and_then(|it| it.parse().ok())
        .is_some_and(|length: usize| body.len() >= length)
}

fn certificate_in(directory: &TempDir) -> (CertificateFiles, CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = CertificateFiles {
        certificate: directory.path().join("server.pem"),
        key: directory.path().join("server.key"),
    };
    std::fs::write(&files.certificate, cert.pem()).unwrap();
    std::fs::write(&files.key, signing_key.serialize_pem()).unwrap();
    (files, cert.der().clone())
}
