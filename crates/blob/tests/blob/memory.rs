//! However large an object is, little of it is held.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use blob::{BlobStore, PART_SIZE};
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use tempfile::TempDir;
use tokio::io::{AsyncRead, ReadBuf};
use vault::DataKey;

use crate::spy::{Counts, Spy};
use crate::{context, noise};

const SIZE: u64 = 100 * 1024 * 1024;
const MIB: u64 = 1024 * 1024;

/// Gives `SIZE` bytes, and notes how far it gets ahead of the store.
struct Watched {
    block: Vec<u8>,
    given: u64,
    counts: Arc<Counts>,
    furthest_ahead: Arc<AtomicU64>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let at = (self.given % self.block.len() as u64) as usize;
        let left = (SIZE - self.given).min((self.block.len() - at) as u64) as usize;
        let length = buffer.remaining().min(left);
        buffer.put_slice(&self.block[at..at + length]);
        self.given += length as u64;
        let ahead = self
            .given
            .saturating_sub(self.counts.written.load(Ordering::SeqCst));
        self.furthest_ahead.fetch_max(ahead, Ordering::SeqCst);
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_large_object_streams_in_and_out() {
    let dir = TempDir::new().unwrap();
    let local = Arc::new(LocalFileSystem::new_with_prefix(dir.path()).unwrap());
    let spy = Spy::new(local, None);
    let counts = spy.counts.clone();
    let store = BlobStore::over(Arc::new(spy));
    let (key, blob) = (DataKey::generate(), context());

    // Doesn't compress, so that what was read and not yet written is what is held.
    let furthest_ahead = Arc::new(AtomicU64::new(0));
    let block = noise(3 * MIB as usize);
    let content = Watched {
        block: block.clone(),
        given: 0,
        counts: counts.clone(),
        furthest_ahead: furthest_ahead.clone(),
    };
    let meta = store.put(&key, &blob, content).await.unwrap();
    assert_eq!(meta.size, SIZE);
    let held = furthest_ahead.load(Ordering::SeqCst);
    assert!(held <= 2 * PART_SIZE as u64 + 2 * MIB, "held {held} bytes");

    let reader = store.open(&key, &blob).await.unwrap();
    let mut at = 0;
    let mut stream = std::pin::pin!(reader.stream_from(0));
    while let Some(piece) = stream.try_next().await.unwrap() {
        let from = at % block.len();
        let (now, wrapped) = piece.split_at(piece.len().min(block.len() - from));
        assert!(now == &block[from..from + now.len()] && wrapped == &block[..wrapped.len()]);
        at += piece.len();
    }
    assert_eq!(at as u64, SIZE);
    assert!(counts.largest_read.load(Ordering::SeqCst) <= 4 * MIB);

    // A small part of a large object costs one small read once it is open.
    let before = counts.reads.load(Ordering::SeqCst);
    counts.largest_read.store(0, Ordering::SeqCst);
    assert_eq!(reader.read_range(SIZE / 2, 100).await.unwrap().len(), 100);
    assert_eq!(counts.reads.load(Ordering::SeqCst), before + 1);
    assert!(counts.largest_read.load(Ordering::SeqCst) < 2 * 66 * 1024);
}
