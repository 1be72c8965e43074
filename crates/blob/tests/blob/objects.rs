//! Objects come back, whole and in part.

use std::collections::HashSet;

use blob::{BlobContext, BlobEntry, BlobKind, BlobStore, Error, PART_SIZE, S3Settings};
use domain::ids::{AccountId, BlobId};
use futures::TryStreamExt;
use vault::DataKey;

use crate::{Site, context, noise, settings, sites};

const CHUNK: usize = 64 * 1024;

async fn read(site: &Site, key: &DataKey, blob: &BlobContext) -> Vec<u8> {
    let reader = site.store.open(key, blob).await.unwrap();
    let pieces: Vec<_> = reader.stream_from(0).try_collect().await.unwrap();
    pieces.concat()
}

#[tokio::test]
async fn objects_of_all_sizes_come_back() {
    let key = DataKey::generate();
    for site in sites().await {
        for size in [
            0,
            1,
            CHUNK - 1,
            CHUNK,
            CHUNK + 1,
            300_000,
            PART_SIZE + 1,
            3 * PART_SIZE,
        ] {
            let (blob, content) = (context(), noise(size));
            let meta = site
                .store
                .put(&key, &blob, content.as_slice())
                .await
                .unwrap();
            assert_eq!((meta.size, meta.key), (size as u64, key.id()));
            assert_eq!(meta.stored_size, site.file(&blob).metadata().unwrap().len());
            assert_eq!(read(&site, &key, &blob).await, content, "{size}");
        }
        assert_eq!(site.files().len(), 8);
    }
}

#[tokio::test]
async fn hashes_are_of_the_plaintext() {
    let key = DataKey::generate();
    for site in sites().await {
        let meta = site.store.put(&key, &context(), &b"abc"[..]).await.unwrap();
        assert_eq!(meta.md5_hex(), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            meta.sha256_hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}

#[tokio::test]
async fn any_part_is_read() {
    let key = DataKey::generate();
    let content = noise(10 * 1024 * 1024);
    let size = content.len() as u64;
    for site in sites().await {
        let blob = context();
        site.store
            .put(&key, &blob, content.as_slice())
            .await
            .unwrap();
        let reader = site.store.open(&key, &blob).await.unwrap();
        assert_eq!(reader.size(), size);
        let chunk = CHUNK as u64;
        for (offset, len) in [
            (0, 1),
            (chunk - 1, 2),
            (chunk, chunk),
            (7, 3 * chunk),
            (size - 1, 1),
            (size - 5, 99),
            (size, 1),
            (size + 5, u64::MAX),
            (0, 0),
            (5_000_000, 5_000_000),
            (123_456, 1_000),
        ] {
            let start = offset.min(size) as usize;
            let end = offset.saturating_add(len).min(size) as usize;
            let part = reader.read_range(offset, len).await.unwrap();
            assert!(part == content[start..end.max(start)], "{offset} {len}");
        }
        for offset in [0, 1, chunk, size - 1, size, size + 1] {
            let pieces: Vec<_> = reader.stream_from(offset).try_collect().await.unwrap();
            assert!(
                pieces.concat() == content[offset.min(size) as usize..],
                "{offset}"
            );
            assert!(pieces.iter().all(|piece| piece.len() <= CHUNK));
        }
        assert!(reader.read_all(size).await.unwrap().expose() == &content);
        let refused = reader.read_all(size - 1).await;
        assert!(matches!(refused, Err(Error::TooLarge { limit, .. }) if limit == size - 1));
    }
}

#[tokio::test]
async fn nothing_readable_lies_in_the_store() {
    let key = DataKey::generate();
    let secret = b"AKIAIOSFODNN7EXAMPLE";
    for site in sites().await {
        let blob = context();
        site.store.put(&key, &blob, &secret[..]).await.unwrap();
        let stored = std::fs::read(site.file(&blob)).unwrap();
        assert!(
            !stored
                .windows(8)
                .any(|window| secret.windows(8).any(|part| part == window))
        );
    }
}

#[tokio::test]
async fn a_deleted_object_is_gone_and_deleting_it_again_is_fine() {
    let key = DataKey::generate();
    for site in sites().await {
        let blob = context();
        site.store.put(&key, &blob, &b"abc"[..]).await.unwrap();
        site.store.delete(&blob).await.unwrap();
        site.store.delete(&blob).await.unwrap();
        assert!(matches!(
            site.store.open(&key, &blob).await,
            Err(Error::Missing { .. })
        ));
        assert_eq!(site.files(), Vec::<std::path::PathBuf>::new());
    }
}

#[tokio::test]
async fn a_listing_has_the_accounts_objects_and_no_others() {
    let key = DataKey::generate();
    for site in sites().await {
        let account = AccountId::random();
        let mut expected = HashSet::new();
        for kind in BlobKind::ALL {
            let blob = BlobContext {
                account: account.clone(),
                kind,
                id: BlobId::random(),
            };
            let meta = site.store.put(&key, &blob, &b"abc"[..]).await.unwrap();
            expected.insert((blob.id, meta.stored_size));
        }
        site.store
            .put(&key, &context(), &b"another account's"[..])
            .await
            .unwrap();
        // What isn't ours is passed over.
        let strange = site.objects.join(account.as_str()).join("state/strange");
        std::fs::write(strange, b"x").unwrap();
        let found: Vec<BlobEntry> = site.store.list(&account).try_collect().await.unwrap();
        assert!(found.iter().all(|entry| entry.blob.account == account));
        let found: HashSet<_> = found
            .into_iter()
            .map(|entry| (entry.blob.id, entry.stored_size))
            .collect();
        assert_eq!(found, expected);
        let nobody: Vec<_> = site
            .store
            .list(&AccountId::random())
            .try_collect()
            .await
            .unwrap();
        assert_eq!(nobody, []);
    }
}

#[tokio::test]
async fn a_check_leaves_nothing_behind() {
    for site in sites().await {
        site.store.check().await.unwrap();
        assert_eq!(site.files(), Vec::<std::path::PathBuf>::new());
    }
}

#[tokio::test]
async fn a_local_store_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::local();
    let mode = site.objects.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_bucket_without_prefix_and_with_wrong_keys() {
    let site = Site::s3("").await;
    let blob = context();
    let key = DataKey::generate();
    site.store.put(&key, &blob, &b"abc"[..]).await.unwrap();
    assert!(site.file(&blob).is_file());

    let right = settings(site.server(), "");
    let wrong = S3Settings {
        secret_access_key: Some("wrong".to_owned().into()),
        ..right.clone()
    };
    let refused = BlobStore::s3(&wrong).unwrap().check().await;
    assert!(matches!(refused, Err(Error::Store { .. })), "{refused:?}");
    let half = S3Settings {
        secret_access_key: None,
        ..right
    };
    assert!(matches!(BlobStore::s3(&half), Err(Error::Settings { .. })));
}
