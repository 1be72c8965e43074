//! git's smart HTTP protocol over the runner's HTTP client.
//!
//! Registered once with libgit2 for a scheme of our own; the host part of an address names the
//! connection, so that every fetch finds its own client. Nothing but fetching is answered.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, OnceLock};

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::Connection;

const SCHEME: &str = "terrane-git";
/// A repository that sends more than this in one fetch is not fetched.
const MOST: u64 = 8 << 30;

/// What a connection said no with, in words that libgit2's own errors don't have.
#[derive(Debug, Clone, Default)]
pub(super) struct Failure {
    sentence: Arc<Mutex<Option<String>>>,
    /// It was about the credentials.
    refused: Arc<AtomicBool>,
}

impl Failure {
    pub(super) fn take(&self) -> Option<String> {
        self.sentence.lock().take()
    }

    fn note(&self, sentence: String) -> io::Error {
        *self.sentence.lock() = Some(sentence.clone());
        io::Error::other(sentence)
    }
}

#[derive(Clone)]
struct Known {
    connection: Connection,
    failure: Failure,
    runtime: Handle,
}

fn known() -> &'static Mutex<HashMap<String, Known>> {
    static KNOWN: OnceLock<Mutex<HashMap<String, Known>>> = OnceLock::new();
    KNOWN.get_or_init(Mutex::default)
}

/// A connection that libgit2 can use while this lives.
pub(super) struct Registered {
    name: String,
    pub(super) failure: Failure,
}

impl Registered {
    /// Must be called where a tokio runtime is entered; the fetch itself must not run on it.
    pub(super) fn new(connection: Connection, runtime: Handle) -> Self {
        register();
        let name = hex::encode(rand::random::<[u8; 16]>());
        let failure = Failure::default();
        let it = Known {
            connection,
            failure: failure.clone(),
            runtime,
        };
        known().lock().insert(name.clone(), it);
        Self { name, failure }
    }

    /// Whether the host said no to the credentials.
    pub(super) fn refused_credentials(&self) -> bool {
        self.failure.refused.load(Ordering::Relaxed)
    }

    /// The address for libgit2.
    pub(super) fn url(&self) -> String {
        format!("{SCHEME}://{}/repository", self.name)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        known().lock().remove(&self.name);
    }
}

#[expect(
    unsafe_code,
    reason = "libgit2's registry of transports is not synchronised by itself"
)]
fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: done once, before any remote of our scheme exists, so nobody reads the registry.
        let registered = unsafe {
            git2::transport::register(SCHEME, |remote| Transport::smart(remote, true, Http))
        };
        if let Err(error) = registered {
            tracing::error!(%error, "git's transport could not be registered");
        }
    });
}

struct Http;

impl SmartSubtransport for Http {
    fn action(
        &self,
        url: &str,
        action: Service,
    ) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let name = url
            .strip_prefix(SCHEME)
            .and_then(|rest| rest.strip_prefix("://"));
        let name = name
            .and_then(|rest| rest.split('/').next())
            .unwrap_or_default();
        let known = known().lock().get(name).cloned();
        let known = known.ok_or_else(|| git2::Error::from_str("this connection is over"))?;
        let posts = match action {
            Service::UploadPackLs => false,
            Service::UploadPack => true,
            Service::ReceivePackLs | Service::ReceivePack => {
                return Err(git2::Error::from_str("nothing is ever pushed"));
            }
        };
        Ok(Box::new(Exchange {
            known,
            posts,
            body: Vec::new(),
            answer: None,
            left: Vec::new(),
            total: 0,
        }))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// One request, sent at the first read, and its answer.
struct Exchange {
    known: Known,
    posts: bool,
    body: Vec<u8>,
    answer: Option<reqwest::Response>,
    left: Vec<u8>,
    total: u64,
}

impl Exchange {
    fn send(&mut self) -> io::Result<reqwest::Response> {
        let Known {
            connection,
            failure,
            runtime,
        } = &self.known;
        let client = &connection.client;
        let mut request = if self.posts {
            client
                .post(connection.at("git-upload-pack"))
                .header("content-type", "application/x-git-upload-pack-request")
                .header("accept", "application/x-git-upload-pack-result")
                .body(std::mem::take(&mut self.body))
        } else {
            client.get(connection.at("info/refs?service=git-upload-pack"))
        };
        request = request.header("user-agent", "git/2 (terrane-runner)");
        if let Some(token) = &connection.token {
            request = request.basic_auth(&connection.username, Some(token.expose()));
        }
        let answer = runtime
            .block_on(request.send())
            .map_err(|error| failure.note(unreachable_host(&error)))?;
        let host = connection.url.host_str().unwrap_or_default();
        match answer.status().as_u16() {
            200 => Ok(answer),
            401 | 403 => {
                failure.refused.store(true, Ordering::Relaxed);
                Err(failure.note(format!(
                    "{host} refuses the credentials of this connection ({})",
                    answer.status()
                )))
            }
            404 => Err(failure.note(format!(
                "{host} has no such repository, or the credentials may not see it"
            ))),
            300..=399 => Err(failure.note(format!(
                "the repository has moved on {host} or elsewhere; update its address"
            ))),
            other => Err(failure.note(format!("{host} answered with status {other}"))),
        }
    }
}

/// Without the address: it may be in a log that more people read than may see it.
fn unreachable_host(error: &reqwest::Error) -> String {
    let mut text = "the repository's host can't be reached".to_owned();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl Read for Exchange {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left.is_empty() {
            let answer = match &mut self.answer {
                Some(answer) => answer,
                None => {
                    let answer = self.send()?;
                    self.answer.insert(answer)
                }
            };
            let chunk = self.known.runtime.block_on(answer.chunk());
            let chunk = chunk.map_err(|error| self.known.failure.note(unreachable_host(&error)))?;
            let Some(chunk) = chunk else { return Ok(0) };
            self.total += chunk.len() as u64;
            if self.total > MOST {
                return Err(self
                    .known
                    .failure
                    .note("the repository is too large".to_owned()));
            }
            self.left = chunk.to_vec();
        }
        let count = buffer.len().min(self.left.len());
        buffer[..count].copy_from_slice(&self.left[..count]);
        self.left.drain(..count);
        Ok(count)
    }
}

impl Write for Exchange {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.body.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
