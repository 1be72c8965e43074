//! Getting stored bytes of an object, the end of it from memory.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::error::{Error, Result};
use crate::meta::BlobContext;

/// The first read gets this much from the end: the index of objects up to 1 GiB, and small
/// objects whole.
const TAIL_SIZE: u64 = 64 * 1024;

pub(crate) struct Fetch {
    store: Arc<dyn ObjectStore>,
    path: Path,
    pub(crate) blob: BlobContext,
    /// Length of the stored object.
    pub(crate) stored_size: u64,
    tail: Bytes,
}

impl Fetch {
    pub(crate) async fn begin(
        store: Arc<dyn ObjectStore>,
        path: Path,
        blob: BlobContext,
    ) -> Result<Self> {
        let of_read = |source| Error::of_read(&blob, source);
        // Not one request for a suffix: stores differ in what they make of one that is longer than
        // the object.
        let stored_size = store.head(&path).await.map_err(of_read)?.size;
        if stored_size == 0 {
            return Err(Error::too_short(&blob));
        }
        let tail_start = stored_size.saturating_sub(TAIL_SIZE);
        let tail = store
            .get_range(&path, tail_start..stored_size)
            .await
            .map_err(of_read)?;
        if tail.len() as u64 != stored_size - tail_start {
            return Err(Error::too_short(&blob));
        }
        Ok(Self {
            store,
            path,
            blob,
            stored_size,
            tail,
        })
    }

    /// Stored bytes of the object.
    pub(crate) async fn get(&self, range: Range<u64>) -> Result<Bytes> {
        let tail_start = self.stored_size - self.tail.len() as u64;
        if range.start >= tail_start && range.end <= self.stored_size {
            let start = usize_of(range.start - tail_start);
            return Ok(self.tail.slice(start..usize_of(range.end - tail_start)));
        }
        let wanted = range.end - range.start;
        let bytes = self
            .store
            .get_range(&self.path, range)
            .await
            .map_err(|source| Error::of_read(&self.blob, source))?;
        if bytes.len() as u64 == wanted {
            Ok(bytes)
        } else {
            Err(Error::too_short(&self.blob))
        }
    }
}

pub(crate) fn usize_of(number: u64) -> usize {
    usize::try_from(number).expect("what is held in memory fits its addresses")
}
