//! An object store in a directory that counts what passes and fails when a test says so.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use tempfile::TempDir;

/// What a test turns while the store is in use.
#[derive(Debug)]
pub(crate) struct Switches {
    /// Whether writing fails.
    pub(crate) writes_fail: AtomicBool,
    /// Whether deleting fails.
    pub(crate) deletes_fail: AtomicBool,
    /// How many reads succeed from now on; negative: all.
    pub(crate) reads_left: AtomicI64,
    /// Stored bytes that arrived.
    pub(crate) written: AtomicU64,
}

impl Switches {
    fn check_write(&self) -> Result<()> {
        if self.writes_fail.load(Ordering::SeqCst) {
            Err(broken())
        } else {
            Ok(())
        }
    }

    fn check_read(&self) -> Result<()> {
        match self.reads_left.load(Ordering::SeqCst) {
            0 => Err(broken()),
            left if left < 0 => Ok(()),
            _ => {
                self.reads_left.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        }
    }
}

fn broken() -> Error {
    Error::Generic {
        store: "flaky",
        source: "broken on purpose".into(),
    }
}

#[derive(Debug)]
pub(crate) struct Flaky {
    inner: LocalFileSystem,
    switches: Arc<Switches>,
    _directory: TempDir,
}

impl Flaky {
    pub(crate) fn new() -> (Self, Arc<Switches>) {
        let directory = TempDir::new().unwrap();
        let inner = LocalFileSystem::new_with_prefix(directory.path()).unwrap();
        let switches = Arc::new(Switches {
            writes_fail: AtomicBool::new(false),
            deletes_fail: AtomicBool::new(false),
            reads_left: AtomicI64::new(-1),
            written: AtomicU64::new(0),
        });
        (
            Self {
                inner,
                switches: Arc::clone(&switches),
                _directory: directory,
            },
            switches,
        )
    }
}

impl fmt::Display for Flaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a flaky store")
    }
}

#[async_trait]
impl ObjectStore for Flaky {
    async fn put_opts(
        &self,
        to: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.switches.check_write()?;
        self.switches
            .written
            .fetch_add(payload.content_length() as u64, Ordering::SeqCst);
        self.inner.put_opts(to, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.switches.check_write()?;
        let inner = self.inner.put_multipart_opts(to, options).await?;
        Ok(Box::new(FlakyUpload {
            inner,
            switches: Arc::clone(&self.switches),
        }))
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.switches.check_read()?;
        self.inner.get_opts(from, options).await
    }

    async fn get_ranges(&self, from: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.switches.check_read()?;
        self.inner.get_ranges(from, ranges).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        if self.switches.deletes_fail.load(Ordering::SeqCst) {
            return Box::pin(futures::stream::once(async { Err(broken()) }));
        }
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct FlakyUpload {
    inner: Box<dyn MultipartUpload>,
    switches: Arc<Switches>,
}

#[async_trait]
impl MultipartUpload for FlakyUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        if let Err(error) = self.switches.check_write() {
            return Box::pin(std::future::ready(Err(error)));
        }
        let (size, switches) = (payload.content_length() as u64, Arc::clone(&self.switches));
        let part = self.inner.put_part(payload);
        Box::pin(async move {
            part.await?;
            switches.written.fetch_add(size, Ordering::SeqCst);
            Ok(())
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.switches.check_write()?;
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
