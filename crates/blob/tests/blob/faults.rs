//! What is broken is noticed, and what fails leaves nothing.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use blob::{BlobContext, BlobKind, BlobReader, BlobStore, Error, PART_SIZE, Result};
use domain::ids::{AccountId, BlobId};
use futures::TryStreamExt;
use object_store::memory::InMemory;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use vault::DataKey;

use crate::spy::{Fault, Spy};
use crate::{Site, context, noise, sites};

/// Reads everything there is.
async fn read(store: &BlobStore, key: &DataKey, blob: &BlobContext) -> Result<Vec<u8>> {
    let reader = store.open(key, blob).await?;
    let pieces: Vec<_> = reader.stream_from(0).try_collect().await?;
    Ok(pieces.concat())
}

/// Puts an object and lets `damage` at its file.
async fn read_damaged(site: &Site, size: usize, damage: impl Fn(&mut Vec<u8>)) -> Result<Vec<u8>> {
    let (key, blob) = (DataKey::generate(), context());
    site.store
        .put(&key, &blob, noise(size).as_slice())
        .await
        .unwrap();
    let file = site.file(&blob);
    let mut bytes = std::fs::read(&file).unwrap();
    damage(&mut bytes);
    std::fs::write(&file, bytes).unwrap();
    read(&site.store, &key, &blob).await
}

#[tokio::test]
async fn a_missing_object_is_named() {
    let key = DataKey::generate();
    for site in sites().await {
        let blob = context();
        let error = site.store.open(&key, &blob).await.unwrap_err();
        assert!(
            matches!(&error, Error::Missing { blob: named } if *named == blob),
            "{error:?}"
        );
        assert!(error.to_string().contains(blob.id.as_str()));
    }
}

#[tokio::test]
async fn a_truncated_object_is_corrupt() {
    for site in sites().await {
        for size in [100, 1_000_000] {
            for keep in [0, 1, 63, 64, 79, 80, 150, size / 2] {
                let result = read_damaged(&site, size, |bytes| bytes.truncate(keep)).await;
                let error = result.unwrap_err();
                assert!(
                    matches!(error, Error::Corrupt { .. }),
                    "{size} {keep} {error:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_flipped_byte_is_noticed() {
    for site in sites().await {
        for at in [0, 12, 20, 40, 64, 68, 100_000, 999_000] {
            let result = read_damaged(&site, 1_000_000, |bytes| bytes[at] ^= 1).await;
            assert!(
                matches!(result, Err(Error::Corrupt { .. })),
                "{at} {result:?}"
            );
        }
        for from_end in [1, 10, 16, 20, 60] {
            let flip = |bytes: &mut Vec<u8>| {
                let at = bytes.len() - from_end;
                bytes[at] ^= 1;
            };
            let result = read_damaged(&site, 1_000_000, flip).await;
            assert!(
                matches!(result, Err(Error::Corrupt { .. })),
                "{from_end} {result:?}"
            );
        }
        let longer = read_damaged(&site, 1_000_000, |bytes| bytes.push(0)).await;
        assert!(matches!(longer, Err(Error::Corrupt { .. })));
    }
}

#[tokio::test]
async fn a_broken_chunk_spoils_only_itself() {
    let site = Site::local();
    let (key, blob, content) = (DataKey::generate(), context(), noise(1_000_000));
    site.store
        .put(&key, &blob, content.as_slice())
        .await
        .unwrap();
    let file = site.file(&blob);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[400_000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let reader = site.store.open(&key, &blob).await.unwrap();
    assert!(reader.read_range(0, 300_000).await.unwrap() == content[..300_000]);
    assert!(reader.read_range(600_000, 400_000).await.unwrap() == content[600_000..]);
    assert!(reader.read_range(0, 1_000_000).await.is_err());
}

#[tokio::test]
async fn objects_put_in_each_others_place_are_refused() {
    for site in sites().await {
        let key = DataKey::generate();
        let (mine, theirs) = (context(), context());
        for blob in [&mine, &theirs] {
            site.store.put(&key, blob, &b"abc"[..]).await.unwrap();
        }
        std::fs::copy(site.file(&theirs), site.file(&mine)).unwrap();
        assert!(matches!(
            read(&site.store, &key, &mine).await,
            Err(Error::Corrupt { .. })
        ));

        let plan = BlobContext {
            kind: BlobKind::Plan,
            ..theirs.clone()
        };
        std::fs::create_dir_all(site.file(&plan).parent().unwrap()).unwrap();
        std::fs::copy(site.file(&theirs), site.file(&plan)).unwrap();
        assert!(matches!(
            read(&site.store, &key, &plan).await,
            Err(Error::Corrupt { .. })
        ));

        let other = read(&site.store, &DataKey::generate(), &theirs).await;
        assert!(matches!(other, Err(Error::Corrupt { .. })));
    }
}

/// Gives `left` bytes, then fails.
struct Breaks {
    left: usize,
}

impl AsyncRead for Breaks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
        }
        let length = self.left.min(buffer.remaining());
        buffer.put_slice(&noise(length));
        self.left -= length;
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn content_that_breaks_off_leaves_nothing() {
    let key = DataKey::generate();
    for site in sites().await {
        for left in [0, 1000, 3 * PART_SIZE] {
            let blob = context();
            let error = site
                .store
                .put(&key, &blob, Breaks { left })
                .await
                .unwrap_err();
            assert!(matches!(error, Error::Input { .. }), "{error:?}");
            assert!(matches!(
                site.store.open(&key, &blob).await,
                Err(Error::Missing { .. })
            ));
        }
        assert_eq!(site.files(), Vec::<std::path::PathBuf>::new());
    }
}

#[tokio::test]
async fn a_put_that_is_dropped_leaves_nothing() {
    let key = DataKey::generate();
    let site = Site::local();
    let blob = context();
    let content = Breaks {
        left: 2 * PART_SIZE,
    }
    .take(2 * PART_SIZE as u64)
    .chain(Stalls);
    let mut put = Box::pin(site.store.put(&key, &blob, content));
    // Until it has begun to write.
    while site.files().is_empty() {
        assert!(futures::poll!(&mut put).is_pending());
        tokio::task::yield_now().await;
    }
    drop(put);
    while !site.files().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(matches!(
        site.store.open(&key, &blob).await,
        Err(Error::Missing { .. })
    ));
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed_once_it_is_old() {
    let site = Site::local();
    let (key, blob) = (DataKey::generate(), context());
    site.store.put(&key, &blob, &b"abc"[..]).await.unwrap();
    let mut left = site.file(&blob).into_os_string();
    left.push("#1");
    std::fs::write(&left, b"half of it").unwrap();
    let now = std::fs::metadata(&left).unwrap().modified().unwrap();
    assert_eq!(site.store.remove_unfinished(now).await.unwrap(), 0);
    let later = now + std::time::Duration::from_secs(1);
    assert_eq!(site.store.remove_unfinished(later).await.unwrap(), 1);
    assert_eq!(site.files(), [site.file(&blob)]);
    assert_eq!(read(&site.store, &key, &blob).await.unwrap(), b"abc");
}

/// Never gives anything.
struct Stalls;

impl AsyncRead for Stalls {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn a_store_that_fails_in_the_middle_leaves_nothing() {
    let key = DataKey::generate();
    for fault in [
        Fault::Part(0),
        Fault::Part(2),
        Fault::Begin,
        Fault::Complete,
    ] {
        let memory = Arc::new(InMemory::new());
        let spy = Spy::new(memory.clone(), Some(fault));
        let store = BlobStore::over(Arc::new(spy));
        let blob = context();
        let content = noise(4 * PART_SIZE);
        let error = store
            .put(&key, &blob, content.as_slice())
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Store {
                    action: "writing",
                    ..
                }
            ),
            "{fault:?} {error:?}"
        );
        let rest = BlobStore::over(memory);
        assert!(
            matches!(rest.open(&key, &blob).await, Err(Error::Missing { .. })),
            "{fault:?}"
        );
        // It works again when the store does.
        rest.put(&key, &blob, content.as_slice()).await.unwrap();
        assert!(read(&rest, &key, &blob).await.unwrap() == content);
    }
}

#[tokio::test]
async fn a_server_that_goes_away_fails_the_put_and_the_next_one_works() {
    let key = DataKey::generate();
    let site = Site::s3("").await;
    let content = noise(3 * PART_SIZE);
    let blob = context();
    // The upload begins and one part arrives.
    site.server().break_after(2);
    let error = site
        .store
        .put(&key, &blob, content.as_slice())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Store { .. }), "{error:?}");
    assert!(site.store.check().await.is_err());
    site.server().repair();
    assert!(matches!(
        site.store.open(&key, &blob).await,
        Err(Error::Missing { .. })
    ));
    site.store
        .put(&key, &blob, content.as_slice())
        .await
        .unwrap();

    let reader: BlobReader = site.store.open(&key, &blob).await.unwrap();
    site.server().break_after(0);
    assert!(matches!(
        reader.read_range(0, 10).await,
        Err(Error::Store { .. })
    ));
    site.server().repair();
    assert!(reader.read_range(0, 10).await.unwrap() == content[..10]);
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let Some(_mounted) = Mounted::tmpfs(dir.path()) else {
        testkit::skip("the right to mount a small tmpfs (root)");
        return;
    };
    let store = BlobStore::local(&dir.path().join("blobs")).unwrap();
    let key = DataKey::generate();
    let account = AccountId::random();
    let blob = |kind| BlobContext {
        account: account.clone(),
        kind,
        id: BlobId::random(),
    };
    let small = blob(BlobKind::State);
    store
        .put(&key, &small, noise(1_000_000).as_slice())
        .await
        .unwrap();
    // In one request, and in parts.
    for size in [4_500_000, 3 * PART_SIZE] {
        let error = store
            .put(&key, &blob(BlobKind::Plan), noise(size).as_slice())
            .await
            .unwrap_err();
        assert!(error.is_disk_full(), "{error:?}");
    }
    let left: Vec<_> = store.list(&account).try_collect().await.unwrap();
    assert_eq!(left.len(), 1);
    // The space of the failed ones is free again.
    store
        .put(&key, &blob(BlobKind::Log), noise(2_500_000).as_slice())
        .await
        .unwrap();
    assert!(read(&store, &key, &small).await.unwrap() == noise(1_000_000));
}

/// A file system of 4 MiB, unmounted when dropped.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn tmpfs(path: &'a Path) -> Option<Self> {
        use rustix::mount::{MountFlags, mount};
        mount("tmpfs", path, "tmpfs", MountFlags::empty(), c"size=4m")
            .ok()
            .map(|()| Self(path))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        use rustix::mount::{UnmountFlags, unmount};
        unmount(self.0, UnmountFlags::DETACH).unwrap();
    }
}
