//! A real git server: `git http-backend` behind HTTPS, with basic authentication.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use base64::Engine;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::TestCertificate;

/// Repositories over HTTPS; it ends when dropped.
pub struct GitServer {
    directory: tempfile::TempDir,
    address: SocketAddr,
    ca_pem: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    root: PathBuf,
    /// `USER:PASSWORD` that every request must carry.
    credentials: String,
    requests: Mutex<Vec<String>>,
    /// While true nothing is answered.
    held: watch::Sender<bool>,
}

impl GitServer {
    /// Serves repositories to whoever presents `user` and `password`.
    pub async fn start(user: &str, password: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let certificate = TestCertificate::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            root: directory.path().to_owned(),
            credentials: format!("{user}:{password}"),
            requests: Mutex::default(),
            held: watch::Sender::new(false),
        });
        let acceptor = TlsAcceptor::from(certificate.server);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Self {
            directory,
            address,
            ca_pem: certificate.ca_pem,
            shared,
            _tasks: tasks,
        }
    }

    /// The authority that its certificate is of.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    pub fn url(&self, repository: &str) -> String {
        format!("https://localhost:{}/{repository}.git", self.address.port())
    }

    /// Makes a repository with one commit of these files on `main`; gives the commit.
    pub fn create(&self, repository: &str, files: &[(&str, &str)]) -> String {
        let bare = self.bare(repository);
        git(
            Path::new("/"),
            &[
                "init",
                "--quiet",
                "--bare",
                "--initial-branch=main",
                bare.to_str().unwrap(),
            ],
        );
        self.commit(repository, files, "first")
    }

    /// Adds a commit that writes these files to `main`; gives the commit.
    pub fn commit(&self, repository: &str, files: &[(&str, &str)], message: &str) -> String {
        self.push(repository, "main", files, message)
    }

    /// Makes a branch of `main` with one more commit, which writes these files; gives the commit.
    pub fn branch(&self, repository: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.push(repository, branch, files, branch)
    }

    fn push(
        &self,
        repository: &str,
        branch: &str,
        files: &[(&str, &str)],
        message: &str,
    ) -> String {
        let bare = self.bare(repository);
        let work = tempfile::tempdir().unwrap();
        git(
            work.path(),
            &["clone", "--quiet", bare.to_str().unwrap(), "."],
        );
        for (name, content) in files {
            let path = work.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        git(work.path(), &["checkout", "--quiet", "-B", branch]);
        git(work.path(), &["add", "--all"]);
        git(work.path(), &["commit", "--quiet", "--message", message]);
        git(work.path(), &["push", "--quiet", "origin", branch]);
        git(work.path(), &["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Every request so far: `METHOD PATH STATUS`.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().clone()
    }

    /// Answers nothing until [`GitServer::go_on`]; requests are noted.
    pub fn hold(&self) {
        self.shared.held.send_replace(true);
    }

    pub fn go_on(&self) {
        self.shared.held.send_replace(false);
    }

    fn bare(&self, repository: &str) -> PathBuf {
        self.directory.path().join(format!("{repository}.git"))
    }
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let identity = [
        "user.name=Test",
        "user.email=test@example.test",
        "commit.gpgsign=false",
    ];
    let mut command = Command::new("git");
    command
        .args(identity.iter().flat_map(|it| ["-c", it]))
        .args(arguments);
    command
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {problem}");
    String::from_utf8(output.stdout).unwrap()
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = service_fn(|request| answer(Arc::clone(&shared), request));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let header = |name: &str| {
        head.headers
            .get(name)
            .and_then(|it| it.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let wanted = base64::engine::general_purpose::STANDARD.encode(&shared.credentials);
    if *shared.held.borrow() {
        let line = format!("{} {} held", head.method, head.uri.path());
        shared.requests.lock().push(line);
        let _ = shared.held.subscribe().wait_for(|held| !held).await;
    }
    let response = if header("authorization") == format!("Basic {wanted}") {
        let environment = [
            ("REQUEST_METHOD", head.method.to_string()),
            ("PATH_INFO", head.uri.path().to_owned()),
            (
                "QUERY_STRING",
                head.uri.query().unwrap_or_default().to_owned(),
            ),
            ("CONTENT_TYPE", header("content-type")),
            ("CONTENT_LENGTH", body.len().to_string()),
            ("HTTP_CONTENT_ENCODING", header("content-encoding")),
            ("GIT_PROTOCOL", header("git-protocol")),
            ("GIT_PROJECT_ROOT", shared.root.display().to_string()),
            ("GIT_HTTP_EXPORT_ALL", "1".to_owned()),
            ("REMOTE_USER", "test".to_owned()),
        ];
        backend(&environment, &body).await
    } else {
        Response::builder()
            .status(401)
            .header("www-authenticate", "Basic realm=\"git\"")
            .body(Full::new(Bytes::from("who are you?")))
            .unwrap()
    };
    let line = format!(
        "{} {} {}",
        head.method,
        head.uri.path(),
        response.status().as_u16()
    );
    shared.requests.lock().push(line);
    Ok(response)
}

/// Runs `git http-backend` as a CGI program.
async fn backend(environment: &[(&str, String)], body: &[u8]) -> Response<Full<Bytes>> {
    let mut command = tokio::process::Command::new("git");
    command
        .arg("http-backend")
        .envs(environment.iter().map(|(name, value)| (name, value)));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let (_, output) = tokio::join!(
        async {
            let written = input.write_all(body).await;
            drop(input);
            written
        },
        child.wait_with_output()
    );
    let output = output.unwrap().stdout;
    let end = output
        .windows(4)
        .position(|it| it == b"\r\n\r\n")
        .unwrap_or(output.len());
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        match line.split_once(": ") {
            Some(("Status", status)) => {
                response = response.status(&status[..3.min(status.len())]);
            }
            Some((name, value)) => response = response.header(name, value),
            None => {}
        }
    }
    let body = output.get(end + 4..).unwrap_or_default().to_vec();
    response.body(Full::new(Bytes::from(body))).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_real_git_clones_with_credentials_only() {
        let server = GitServer::start("bot", "pass").await;
        let commit = server.create("infra", &[("main.tf", "# hello\n"), ("sub/a.tf", "")]);
        let scratch = tempfile::tempdir().unwrap();
        let ca = scratch.path().join("ca.pem");
        std::fs::write(&ca, server.ca_pem()).unwrap();
        let clone = |url: String, into: &'static str| {
            let mut command = Command::new("git");
            command
                .args(["clone", "--quiet", &url, into])
                .current_dir(scratch.path());
            command
                .env("GIT_SSL_CAINFO", &ca)
                .env("GIT_TERMINAL_PROMPT", "0");
            tokio::task::spawn_blocking(move || command.status().unwrap().success())
        };
        let anonymous = server.url("infra");
        let known = anonymous.replace("https://", "https://bot:pass@");
        assert!(!clone(anonymous, "refused").await.unwrap());
        assert!(clone(known, "cloned").await.unwrap());
        let cloned = scratch.path().join("cloned");
        assert_eq!(git(&cloned, &["rev-parse", "HEAD"]).trim(), commit);
        assert_eq!(
            std::fs::read_to_string(cloned.join("main.tf")).unwrap(),
            "# hello\n"
        );
        assert!(server.requests().iter().any(|line| line.ends_with(" 401")));
    }
}
