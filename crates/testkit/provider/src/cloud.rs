//! Where objects live: a directory, or a small HTTP server that stands before one.
//!
//! A sandboxed run can't write outside its own directory, but it can call an API, as a real
//! provider does.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value as Json;

#[derive(Clone)]
pub enum Cloud {
    Directory(PathBuf),
    /// `HOST:PORT` of a plain HTTP server: GET, PUT and DELETE of `/TYPE/ID`, GET of `/TYPE/`.
    Server(String),
}

impl Cloud {
    pub fn read(&self, kind: &str, id: &str) -> io::Result<Option<Json>> {
        let bytes = match self {
            Self::Directory(root) => match std::fs::read(file(root, kind, id)) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            },
            Self::Server(address) => {
                match request(address, "GET", &format!("/{kind}/{id}"), b"")? {
                    (404, _) => return Ok(None),
                    (_, body) => body,
                }
            }
        };
        Ok(Some(serde_json::from_slice(&bytes)?))
    }

    pub fn write(&self, kind: &str, id: &str, object: &Json) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(object)?;
        match self {
            Self::Directory(root) => {
                let path = file(root, kind, id);
                std::fs::create_dir_all(path.parent().unwrap_or(root))?;
                let temporary = path.with_extension(format!("tmp-{}", random()));
                std::fs::write(&temporary, bytes)?;
                std::fs::rename(temporary, path)
            }
            Self::Server(address) => {
                request(address, "PUT", &format!("/{kind}/{id}"), &bytes).map(|_| ())
            }
        }
    }

    pub fn delete(&self, kind: &str, id: &str) -> io::Result<()> {
        match self {
            Self::Directory(root) => match std::fs::remove_file(file(root, kind, id)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            Self::Server(address) => {
                request(address, "DELETE", &format!("/{kind}/{id}"), b"").map(|_| ())
            }
        }
    }

    /// The ids of all objects of a type, in order.
    pub fn list(&self, kind: &str) -> io::Result<Vec<String>> {
        let mut ids: Vec<String> = match self {
            Self::Directory(root) => match std::fs::read_dir(root.join(kind)) {
                Ok(entries) => entries
                    .filter_map(|entry| {
                        let name = entry.ok()?.file_name().into_string().ok()?;
                        name.strip_suffix(".json").map(str::to_owned)
                    })
                    .collect(),
                Err(_) => Vec::new(),
            },
            Self::Server(address) => {
                serde_json::from_slice(&request(address, "GET", &format!("/{kind}/"), b"")?.1)?
            }
        };
        ids.sort();
        Ok(ids)
    }
}

fn file(root: &Path, kind: &str, id: &str) -> PathBuf {
    root.join(kind).join(format!("{id}.json"))
}

/// 16 random hexadecimal digits.
pub fn random() -> String {
    let mut bytes = [0; 8];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut it| it.read_exact(&mut bytes));
    read.expect("the system has a random source");
    format!("{:016x}", u64::from_ne_bytes(bytes))
}

const PATIENCE: Duration = Duration::from_secs(60);

fn request(address: &str, method: &str, path: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|it| it.parse().ok())
        .unwrap_or(0);
    while line.trim_end() != "" {
        line.clear();
        reader.read_line(&mut line)?;
    }
    let mut answer = Vec::new();
    reader.read_to_end(&mut answer)?;
    match status {
        200..=299 | 404 => Ok((status, answer)),
        _ => Err(io::Error::other(format!(
            "{method} {path}: status {status}"
        ))),
    }
}
