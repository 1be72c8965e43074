//! A store between ours and another one: counts what passes, and fails where a test says.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// Where it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Beginning an upload in parts.
    Begin,
    /// Sending the part of this number.
    Part(usize),
    /// The last request of an upload in parts.
    Complete,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Stored bytes that arrived.
    pub(crate) written: AtomicU64,
    /// Bytes of the largest single read.
    pub(crate) largest_read: AtomicU64,
    /// Reads of content.
    pub(crate) reads: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct Spy {
    inner: Arc<dyn ObjectStore>,
    fault: Option<Fault>,
    pub(crate) counts: Arc<Counts>,
}

impl Spy {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, fault: Option<Fault>) -> Self {
        Self {
            inner,
            fault,
            counts: Arc::default(),
        }
    }
}

impl fmt::Display for Spy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a spied-on store")
    }
}

fn broken() -> Error {
    Error::Generic {
        store: "spy",
        source: "broken on purpose".into(),
    }
}

#[async_trait]
impl ObjectStore for Spy {
    async fn put_opts(
        &self,
        to: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.counts
            .written
            .fetch_add(payload.content_length() as u64, Ordering::SeqCst);
        self.inner.put_opts(to, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if self.fault == Some(Fault::Begin) {
            return Err(broken());
        }
        let inner = self.inner.put_multipart_opts(to, options).await?;
        let (fault, counts) = (self.fault, self.counts.clone());
        Ok(Box::new(SpyUpload {
            inner,
            fault,
            counts,
            parts: 0,
        }))
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        let found = self.inner.get_opts(from, options).await?;
        if head {
            return Ok(found);
        }
        self.counts.reads.fetch_add(1, Ordering::SeqCst);
        self.counts
            .largest_read
            .fetch_max(found.range.end - found.range.start, Ordering::SeqCst);
        Ok(found)
    }

    async fn get_ranges(&self, from: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(from, ranges).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
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
struct SpyUpload {
    inner: Box<dyn MultipartUpload>,
    fault: Option<Fault>,
    counts: Arc<Counts>,
    parts: usize,
}

#[async_trait]
impl MultipartUpload for SpyUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let number = self.parts;
        self.parts += 1;
        if self.fault == Some(Fault::Part(number)) {
            return Box::pin(async { Err(broken()) });
        }
        let (length, counts) = (payload.content_length() as u64, self.counts.clone());
        let inner = self.inner.put_part(payload);
        Box::pin(async move {
            inner.await?;
            counts.written.fetch_add(length, Ordering::SeqCst);
            Ok(())
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        if self.fault == Some(Fault::Complete) {
            return Err(broken());
        }
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
