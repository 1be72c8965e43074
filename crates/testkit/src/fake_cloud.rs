//! The cloud of the test provider as an HTTP server before a directory: `DIR/TYPE/ID.json`.
//!
//! A sandboxed run can't write to a test's directory, but it can call an API. Tests look at the
//! files, and change or delete them to make drift.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

/// Serves until the test process ends.
pub struct FakeCloud {
    directory: tempfile::TempDir,
    port: u16,
}

impl FakeCloud {
    /// Listens on every address, so that jobs in containers and network namespaces reach it too.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let root = directory.path().to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let root = root.clone();
                std::thread::spawn(move || serve(stream, &root));
            }
        });
        Self { directory, port }
    }

    /// What the provider block's `endpoint` is for a job that shares this machine's loopback.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The same for a job in a container: by the address that Docker's bridge has on this machine.
    pub fn endpoint_from_containers(&self) -> String {
        format!("http://{}:{}", bridge_address(), self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The ids of the objects of a type that exist.
    pub fn ids(&self, kind: &str) -> Vec<String> {
        list(&self.directory.path().join(kind))
    }

    /// The file of one object.
    pub fn file(&self, kind: &str, id: &str) -> PathBuf {
        self.directory.path().join(kind).join(format!("{id}.json"))
    }
}

fn bridge_address() -> String {
    let mut docker = std::process::Command::new("docker");
    docker.args(["network", "inspect", "bridge", "--format"]);
    docker.arg("{{range .IPAM.Config}}{{.Gateway}} {{end}}");
    let gateways = docker.output().map(|it| it.stdout).unwrap_or_default();
    let gateways = String::from_utf8_lossy(&gateways).into_owned();
    let first = gateways.split_whitespace().find(|it| it.contains('.'));
    first.unwrap_or("172.17.0.1").to_owned()
}

fn serve(stream: TcpStream, root: &Path) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().ok()?;
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (status, answer) = answer(&method, &path, &body, root);
    answer_with(stream, status, &answer)
}

fn answer(method: &str, path: &str, body: &[u8], root: &Path) -> (u16, Vec<u8>) {
    let Some((kind, id)) = path.trim_start_matches('/').split_once('/') else {
        return (400, Vec::new());
    };
    if kind.contains("..") || id.contains("..") || id.contains('/') {
        return (400, Vec::new());
    }
    let directory = root.join(kind);
    let file = directory.join(format!("{id}.json"));
    let done = |result: std::io::Result<Vec<u8>>| match result {
        Ok(bytes) => (200, bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (404, Vec::new()),
        Err(_) => (500, Vec::new()),
    };
    match (method, id) {
        ("GET", "") => (
            200,
            serde_json::to_vec(&list(&directory)).unwrap_or_default(),
        ),
        ("GET", _) => done(std::fs::read(file)),
        ("DELETE", _) => done(std::fs::remove_file(file).map(|()| Vec::new())),
        ("PUT", _) => {
            let write = std::fs::create_dir_all(&directory)
                .and_then(|()| std::fs::write(file.with_extension("new"), body))
                .and_then(|()| std::fs::rename(file.with_extension("new"), file));
            done(write.map(|()| Vec::new()))
        }
        _ => (405, Vec::new()),
    }
}

fn answer_with(mut stream: TcpStream, status: u16, body: &[u8]) -> Option<()> {
    let head = format!(
        "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()
}

fn list(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut ids: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_suffix(".json").map(str::to_owned)
        })
        .collect();
    ids.sort();
    ids
}
