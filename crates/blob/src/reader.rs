//! Reading an object, or any part of it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use domain::Secret;
use futures::Stream;
use futures::stream;
use object_store::ObjectStore;
use object_store::path::Path;
use vault::DataKey;
use vault::chunks::{FOOTER_LENGTH, HEADER_LENGTH, Index, index_range};

use crate::error::{Error, Result};
use crate::fetch::{Fetch, usize_of};
use crate::meta::BlobContext;

/// Stored bytes fetched with one request when much is read.
const WINDOW_SIZE: u64 = 4 * 1024 * 1024;

/// An open object. Clones share what was fetched so far.
#[derive(Clone)]
pub struct BlobReader(Arc<Opened>);

struct Opened {
    fetch: Fetch,
    index: Index,
}

impl BlobReader {
    pub(crate) async fn open(
        store: Arc<dyn ObjectStore>,
        path: Path,
        key: &DataKey,
        blob: BlobContext,
    ) -> Result<Self> {
        let fetch = Fetch::begin(store, path, blob).await?;
        let blob = &fetch.blob;
        let corrupt = |source| Error::of_vault(blob, source);
        let stored = fetch.stored_size;
        if stored < (HEADER_LENGTH + FOOTER_LENGTH) as u64 {
            return Err(Error::too_short(blob));
        }
        let footer = fetch.get(stored - FOOTER_LENGTH as u64..stored).await?;
        let index = fetch
            .get(index_range(&footer, stored).map_err(corrupt)?)
            .await?;
        let header = fetch.get(0..HEADER_LENGTH as u64).await?;
        let index = Index::open(key, &blob.vault(), &header, &index, stored).map_err(corrupt)?;
        Ok(Self(Arc::new(Opened { fetch, index })))
    }

    /// Bytes of plaintext.
    pub fn size(&self) -> u64 {
        self.0.index.size()
    }

    /// `len` bytes from `offset` on, fewer at the end of the object. They are held in memory.
    pub async fn read_range(&self, offset: u64, len: u64) -> Result<Bytes> {
        let end = offset.saturating_add(len).min(self.size());
        let mut progress = Progress::new(self, offset..end);
        let Some(first) = progress.next().await? else {
            return Ok(Bytes::new());
        };
        if progress.is_done() {
            return Ok(first);
        }
        let mut bytes = Vec::with_capacity(usize_of(end - offset));
        bytes.extend_from_slice(&first);
        while let Some(more) = progress.next().await? {
            bytes.extend_from_slice(&more);
        }
        Ok(bytes.into())
    }

    /// The plaintext from `offset` to the end, in pieces of 64 KiB at most. Every piece is genuine;
    /// an error ends the stream.
    pub fn stream_from(&self, offset: u64) -> impl Stream<Item = Result<Bytes>> + Send + use<> {
        let progress = Progress::new(self, offset..self.size());
        stream::try_unfold(progress, |mut progress| async move {
            Ok(progress.next().await?.map(|piece| (piece, progress)))
        })
    }

    /// The whole plaintext, if it isn't larger than `limit`.
    pub async fn read_all(&self, limit: u64) -> Result<Secret<Vec<u8>>> {
        let size = self.size();
        if size > limit {
            let blob = self.0.fetch.blob.clone();
            return Err(Error::TooLarge { blob, size, limit });
        }
        Ok(Secret::new(self.read_range(0, size).await?.into()))
    }
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobReader")
            .field("blob", &self.0.fetch.blob)
            .finish_non_exhaustive()
    }
}

/// A read under way: one window of stored bytes is held, one chunk of it opened at a time.
struct Progress {
    opened: Arc<Opened>,
    /// Plaintext yet to be given out.
    wanted: Range<u64>,
    /// Chunks yet to be opened.
    chunks: Range<usize>,
    window: Bytes,
    /// Chunks that the window begins with.
    in_window: Range<usize>,
}

impl Progress {
    fn new(reader: &BlobReader, wanted: Range<u64>) -> Self {
        let opened = reader.0.clone();
        let chunks = opened.index.chunks_with(wanted.clone());
        Self {
            opened,
            wanted,
            chunks,
            window: Bytes::new(),
            in_window: 0..0,
        }
    }

    fn is_done(&self) -> bool {
        self.chunks.is_empty()
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(number) = self.chunks.next() else {
            return Ok(None);
        };
        if !self.in_window.contains(&number) {
            self.fetch_window(number).await?;
        }
        let Opened { fetch, index } = &*self.opened;
        let stored = index.stored_range(number..number + 1);
        let stored = self.window.split_to(usize_of(stored.end - stored.start));
        let chunk = index
            .open_chunk(number, &stored)
            .map_err(|source| Error::of_vault(&fetch.blob, source))?;
        let begins_at = number as u64 * index.chunk_size();
        let end = (self.wanted.end - begins_at).min(chunk.len() as u64);
        let piece =
            Bytes::from(chunk).slice(usize_of(self.wanted.start - begins_at)..usize_of(end));
        self.wanted.start = begins_at + end;
        Ok(Some(piece))
    }

    /// Fetches chunk `first` and as many after it as fit.
    async fn fetch_window(&mut self, first: usize) -> Result<()> {
        let index = &self.opened.index;
        let fits = |end: usize| {
            let stored = index.stored_range(first..end);
            stored.end - stored.start <= WINDOW_SIZE
        };
        let mut end = first + 1;
        while end < self.chunks.end && fits(end + 1) {
            end += 1;
        }
        self.window = self
            .opened
            .fetch
            .get(index.stored_range(first..end))
            .await?;
        self.in_window = first..end;
        Ok(())
    }
}
