//! What the loopback backend answers. No sockets here.
//!
//! The protocol is that of terraform's `http` backend: GET, POST, LOCK, UNLOCK, DELETE on one
//! address. A POST is answered 200 only when the state is in the journal, on the disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use crate::backend::request::Request;
use crate::disk::Disk;
use crate::journal::{Journal, LARGEST_STATE, Offer};
use crate::paths::{Durability, Root};

/// One state, its lock and its journal.
#[derive(Debug)]
pub(crate) struct Service {
    root: Arc<Root>,
    disk: Arc<Disk>,
    file: PathBuf,
    /// `/SECRET`.
    path: String,
    journal: Arc<Mutex<Journal>>,
    /// What the holder of the lock sent about itself.
    holder: Mutex<Option<Vec<u8>>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Service {
    pub(crate) fn new(
        root: Arc<Root>,
        disk: Arc<Disk>,
        file: PathBuf,
        path_secret: &str,
        journal: Arc<Mutex<Journal>>,
    ) -> Self {
        Self {
            root,
            disk,
            file,
            path: format!("/{path_secret}"),
            journal,
            holder: Mutex::default(),
        }
    }

    /// A command ended without unlocking; only one runs at a time, so the lock is nobody's.
    pub(crate) fn forget_lock(&self) {
        *lock(&self.holder) = None;
    }

    pub(crate) fn answer(&self, request: &Request) -> Response {
        if !same(&request.path, &self.path) {
            return Response::text(404, "there is nothing here");
        }
        let answer = match request.method.as_str() {
            "GET" => self.read(),
            "POST" | "PUT" => self.write(request),
            "LOCK" => Ok(self.lock(request)),
            "UNLOCK" => Ok(self.unlock(request)),
            "DELETE" => self.delete(),
            _ => Ok(Response::text(405, "this method is not known here")),
        };
        answer.unwrap_or_else(|error| {
            eprintln!("terrane-supervisor: the state could not be kept: {error}");
            Response::text(500, "the state could not be kept on the runner's disk")
        })
    }

    fn read(&self) -> io::Result<Response> {
        Ok(match self.root.read(&self.file, LARGEST_STATE)? {
            Some(body) if !body.is_empty() => Response { status: 200, body },
            Some(_) | None => Response::text(404, ""),
        })
    }

    fn write(&self, request: &Request) -> io::Result<Response> {
        if request
            .content_md5
            .as_ref()
            .is_some_and(|sent| *sent != md5_base64(&request.body))
        {
            return Ok(Response::text(400, "the body is not what Content-MD5 says"));
        }
        if let Some(holder) = lock(&self.holder).as_ref()
            && !request
                .query
                .split('&')
                .any(|pair| pair.strip_prefix("ID=") == id_of(holder).as_deref())
        {
            return Ok(Response {
                status: 409,
                body: holder.clone(),
            });
        }
        let mut journal = lock(&self.journal);
        match journal.offer(&request.body)? {
            Offer::Taken | Offer::Known => {
                let (file, state) = (self.file.as_path(), request.body.as_slice());
                let replace = || {
                    self.root
                        .replace(file, state, Durability::SurvivesPowerLoss)
                };
                self.disk.with_room(replace)?;
                Ok(Response::text(200, ""))
            }
            Offer::Refused(refusal) => Ok(Response::text(409, &refusal.to_string())),
            Offer::Torn => Ok(Response::text(400, "this is no state")),
        }
    }

    fn lock(&self, request: &Request) -> Response {
        let mut holder = lock(&self.holder);
        match holder.as_ref() {
            Some(info) if *info != request.body => Response {
                status: 423,
                body: info.clone(),
            },
            Some(_) | None => {
                *holder = Some(request.body.clone());
                Response::text(200, "")
            }
        }
    }

    /// A forced unlock sends no body.
    fn unlock(&self, request: &Request) -> Response {
        let mut holder = lock(&self.holder);
        match holder.as_ref() {
            Some(info) if !request.body.is_empty() && id_of(info) != id_of(&request.body) => {
                Response {
                    status: 409,
                    body: info.clone(),
                }
            }
            Some(_) | None => {
                *holder = None;
                Response::text(200, "")
            }
        }
    }

    /// Put aside, not removed: nothing that was a state is thrown away here.
    fn delete(&self) -> io::Result<Response> {
        if let Some(state) = self.root.read(&self.file, LARGEST_STATE)? {
            let mut aside = self.file.clone();
            aside.add_extension("deleted");
            self.root
                .replace(Path::new(&aside), &state, Durability::SurvivesPowerLoss)?;
            self.root.remove(&self.file)?;
        }
        Ok(Response::text(200, ""))
    }
}

impl Response {
    pub(crate) fn text(status: u16, text: &str) -> Self {
        Self {
            status,
            body: text.as_bytes().to_vec(),
        }
    }
}

/// The lock's id in what its holder sent.
fn id_of(info: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Info {
        #[serde(rename = "ID")]
        id: String,
    }
    serde_json::from_slice::<Info>(info)
        .ok()
        .map(|info| info.id)
}

fn md5_base64(bytes: &[u8]) -> String {
    STANDARD.encode(Md5::digest(bytes))
}

/// Takes the same time wherever the two differ.
fn same(left: &str, right: &str) -> bool {
    let differences = left
        .bytes()
        .zip(right.bytes())
        .fold(0, |sum, (l, r)| sum | (l ^ r));
    left.len() == right.len() && differences == 0
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use step::{Limits, StateMode, StateSpec, files};
    use vault::sealed::RecipientKey;

    const SECRET: &str = "a-secret-of-enough-letters";

    fn service(directory: &Path) -> Service {
        for name in ["state", files::JOURNAL, files::SNAPSHOTS] {
            std::fs::create_dir(directory.join(name)).unwrap();
        }
        let root = Arc::new(Root::open(directory).unwrap());
        let disk = Arc::new(Disk::prepare(root.clone(), &Limits::default()).unwrap());
        let key = RecipientKey::generate();
        let spec = StateSpec {
            mode: StateMode::Http,
            file: files::STATE.into(),
            port: 0,
            path_secret: SECRET.into(),
            lineage: None,
            base_serial: -1,
            journal_public_key: key.public().to_string(),
            journal_key_id: key.id().to_string(),
            seal_context: "acc/run/job".into(),
        };
        let journal = Journal::new(root.clone(), disk.clone(), &spec).unwrap();
        Service::new(root, disk, spec.file, SECRET, Arc::new(Mutex::new(journal)))
    }

    fn request(method: &str, query: &str, body: &str) -> Request {
        Request {
            method: method.into(),
            path: format!("/{SECRET}"),
            query: query.into(),
            content_md5: None,
            body: body.into(),
        }
    }

    fn state(serial: u32) -> String {
        format!(r#"{{"version":4,"serial":{serial},"lineage":"l"}}"#)
    }

    #[test]
    fn a_write_is_in_the_journal_before_it_is_answered() {
        let directory = tempfile::tempdir().unwrap();
        let service = service(directory.path());
        let status = |request: &Request| service.answer(request).status;
        assert_eq!(status(&request("GET", "", "")), 404);
        for serial in 1..6 {
            assert_eq!(status(&request("POST", "", &state(serial))), 200);
            assert!(
                directory
                    .path()
                    .join(format!("journal/{serial}.sealed"))
                    .exists()
            );
            assert_eq!(
                service.answer(&request("GET", "", "")).body,
                state(serial).as_bytes()
            );
        }
        let kept = std::fs::read_dir(directory.path().join("journal"))
            .unwrap()
            .count();
        assert_eq!(kept, 6, "three entries of two files");
        assert_eq!(
            status(&request("POST", "", &state(5))),
            200,
            "a repeated write is no mistake"
        );
        assert_eq!(status(&request("POST", "", &state(2))), 409);
        assert_eq!(status(&request("POST", "", "{")), 400);
        let altered = Request {
            content_md5: Some("AAAA".into()),
            ..request("POST", "", &state(9))
        };
        assert_eq!(status(&altered), 400);
        assert_eq!(
            service.answer(&request("GET", "", "")).body,
            state(5).as_bytes()
        );
        assert_eq!(status(&request("DELETE", "", "")), 200);
        assert_eq!(status(&request("GET", "", "")), 404);
        assert!(
            directory
                .path()
                .join("state/terraform.tfstate.deleted")
                .exists()
        );
    }

    #[test]
    fn only_the_secret_path_is_served() {
        let directory = tempfile::tempdir().unwrap();
        let service = service(directory.path());
        for path in [
            "/",
            "",
            "/a-secret-of-enough-letterz",
            "/a-secret-of-enough-letters/",
        ] {
            let wrong = Request {
                path: path.into(),
                ..request("POST", "", &state(1))
            };
            assert_eq!(service.answer(&wrong).status, 404, "{path}");
        }
    }

    #[test]
    fn one_holds_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let service = service(directory.path());
        let status = |request: &Request| service.answer(request).status;
        let (mine, other) = (r#"{"ID":"1"}"#, r#"{"ID":"2"}"#);
        assert_eq!(status(&request("LOCK", "", mine)), 200);
        assert_eq!(status(&request("LOCK", "", other)), 423);
        assert_eq!(status(&request("POST", "ID=2", &state(1))), 409);
        assert_eq!(status(&request("POST", "ID=1", &state(1))), 200);
        assert_eq!(status(&request("UNLOCK", "", other)), 409);
        assert_eq!(status(&request("UNLOCK", "", mine)), 200);
        assert_eq!(status(&request("LOCK", "", other)), 200);
        service.forget_lock();
        assert_eq!(status(&request("LOCK", "", mine)), 200);
    }
}
