//! The object store's promises, on a local directory and on an S3 server.

#![expect(clippy::unwrap_used, reason = "tests")]

mod faults;
mod memory;
mod objects;
mod spy;

use std::path::{Path, PathBuf};

use blob::{BlobContext, BlobKind, BlobStore, S3Settings};
use domain::Secret;
use domain::ids::{AccountId, BlobId};
use tempfile::TempDir;
use testkit::LocalS3;

/// A store whose objects can be reached behind its back.
struct Site {
    store: BlobStore,
    objects: PathBuf,
    /// Where nothing may stay behind.
    root: PathBuf,
    home: Home,
}

enum Home {
    Directory(#[expect(dead_code, reason = "deleted when dropped")] TempDir),
    S3(LocalS3),
}

impl Site {
    fn local() -> Self {
        let dir = TempDir::new().unwrap();
        let objects = dir.path().join("blobs");
        let store = BlobStore::local(&objects).unwrap();
        Self {
            store,
            root: objects.clone(),
            objects,
            home: Home::Directory(dir),
        }
    }

    async fn s3(prefix: &str) -> Self {
        let server = LocalS3::start().await;
        let store = BlobStore::s3(&settings(&server, prefix)).unwrap();
        let objects = server.objects().join(prefix);
        Self {
            store,
            root: server.root().to_owned(),
            objects,
            home: Home::S3(server),
        }
    }

    fn server(&self) -> &LocalS3 {
        match &self.home {
            Home::S3(server) => server,
            Home::Directory(_) => panic!("not an S3 server"),
        }
    }

    fn file(&self, blob: &BlobContext) -> PathBuf {
        let kind = self
            .objects
            .join(blob.account.as_str())
            .join(blob.kind.as_str());
        kind.join(blob.id.as_str())
    }

    /// Files that hold content, finished or not.
    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(&self.root, &mut found);
        // The S3 server's own notes.
        found.retain(|path| path.extension().is_none_or(|extension| extension != "json"));
        found
    }
}

fn collect(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found)
        } else {
            found.push(path)
        }
    }
}

fn settings(server: &LocalS3, prefix: &str) -> S3Settings {
    S3Settings {
        bucket: server.bucket().to_owned(),
        region: server.region().to_owned(),
        endpoint: Some(server.endpoint().to_owned()),
        access_key_id: Some(server.access_key_id().to_owned()),
        secret_access_key: Some(Secret::new(server.secret_access_key().to_owned())),
        allow_http: true,
        prefix: prefix.to_owned(),
    }
}

/// Both kinds of store.
async fn sites() -> [Site; 2] {
    [Site::local(), Site::s3("terrane/blobs").await]
}

fn context() -> BlobContext {
    let (account, id) = (AccountId::random(), BlobId::random());
    BlobContext {
        account,
        kind: BlobKind::State,
        id,
    }
}

/// Bytes that don't compress, and differ everywhere.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
