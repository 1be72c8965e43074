//! Objects on both databases.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use blob::BlobStore;
use bytes::Bytes;
use chrono::TimeDelta;
use db::Db;
use futures::{StreamExt, TryStreamExt, stream};
use testkit::both_databases;
use tokio::io::AsyncWriteExt;
use tokio_util::io::StreamReader;

use super::{ObjectError, Stored, open, own, pipe, put, release, remove_unfinished, store, sweep};
use crate::schema::MIGRATOR;
use crate::testing::{Flaky, Team, TestApp};

const LIMIT: u64 = 1 << 20;

async fn stored(app: &TestApp, team: &Team, content: &[u8]) -> Stored {
    put(app, &team.tenant, "state", content, LIMIT)
        .await
        .unwrap()
}

async fn keep(app: &TestApp, team: &Team, object: &Stored) -> Result<(), ObjectError> {
    let mut tx = app.db.begin().await.unwrap();
    own(&mut tx, &team.tenant, &object.id).await?;
    tx.commit().await.unwrap();
    Ok(())
}

both_databases! { MIGRATOR;
    async fn what_is_put_is_read_back_in_any_part(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let object = stored(&app, &team, &content).await;
        assert_eq!(object.size, content.len() as u64);
        assert_eq!((object.sha256.len(), object.md5.len()), (64, 32));
        let opened = open(&app, &team.tenant, &object.id).await.unwrap();
        assert_eq!((opened.size(), opened.md5()), (object.size, object.md5.as_str()));
        let read: Vec<Bytes> = opened.stream_from(7).try_collect().await.unwrap();
        assert!(read.concat() == content[7..]);
        assert_eq!(opened.read_range(100_000, 50).await.unwrap(), &content[100_000..100_050]);
        assert!(opened.read_all(LIMIT).await.unwrap().expose() == &content);
        let too_much = opened.read_all(10).await.unwrap_err();
        assert!(matches!(too_much, ObjectError::TooLarge { limit: 10 }));
    }

    async fn nobody_reads_another_tenants_object(db: Db) {
        let app = TestApp::new(db);
        let (team, other) = (app.team().await, app.team().await);
        let object = stored(&app, &team, b"secret").await;
        let refused = open(&app, &other.tenant, &object.id).await.unwrap_err();
        assert!(matches!(refused, ObjectError::NotFound));
        let refused = keep(&app, &other, &object).await.unwrap_err();
        assert!(matches!(refused, ObjectError::Swept));
    }

    async fn too_much_is_refused_while_it_comes(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let endless = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[7; 4096])));
        let refused = put(&app, &team.tenant, "state", StreamReader::new(endless), LIMIT).await;
        assert!(matches!(refused.unwrap_err(), ObjectError::TooLarge { limit: LIMIT }));
        put(&app, &team.tenant, "state", &[7; LIMIT as usize][..], LIMIT).await.unwrap();
    }

    async fn a_content_that_breaks_off_is_not_an_object(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let cut = stream::iter([Ok(Bytes::from_static(b"half")), Err(io::Error::other("gone"))]);
        let refused = put(&app, &team.tenant, "state", StreamReader::new(cut), LIMIT).await;
        assert!(matches!(refused.unwrap_err(), ObjectError::BrokenOff(_)));
    }

    async fn the_sweep_takes_old_orphans_only(db: Db) {
        let app = TestApp::at(db, "2026-01-01T00:00:00Z");
        let team = app.team().await;
        let (orphan, kept) = (stored(&app, &team, b"a").await, stored(&app, &team, b"b").await);
        keep(&app, &team, &kept).await.unwrap();
        refer(&app, &team, &kept).await;
        assert_eq!(sweep(&app, TimeDelta::hours(1)).await.unwrap().deleted, 0);
        app.advance(TimeDelta::hours(2));
        let young = stored(&app, &team, b"c").await;
        let swept = sweep(&app, TimeDelta::hours(1)).await.unwrap();
        assert_eq!((swept.deleted, swept.disowned, swept.failed), (1, 0, 0));
        assert!(matches!(
            open(&app, &team.tenant, &orphan.id).await.unwrap_err(),
            ObjectError::NotFound
        ));
        assert!(matches!(keep(&app, &team, &orphan).await.unwrap_err(), ObjectError::Swept));
        open(&app, &team.tenant, &kept.id).await.unwrap();
        keep(&app, &team, &young).await.unwrap();
    }

    async fn what_nobody_refers_to_any_more_goes_in_two_steps(db: Db) {
        let app = TestApp::at(db, "2026-01-01T00:00:00Z");
        let team = app.team().await;
        let object = stored(&app, &team, b"a").await;
        keep(&app, &team, &object).await.unwrap();
        refer(&app, &team, &object).await;
        app.advance(TimeDelta::days(9));
        assert_eq!(sweep(&app, TimeDelta::days(1)).await.unwrap().disowned, 0);
        app.delete(format!("/api/v2/workspaces/{}", team.workspace.id))
            .by(&team.admin)
            .await
            .expect(204);
        let first = sweep(&app, TimeDelta::days(1)).await.unwrap();
        assert_eq!((first.disowned, first.deleted), (1, 0), "whoever reads it can finish");
        open(&app, &team.tenant, &object.id).await.unwrap();
        app.advance(TimeDelta::days(2));
        assert_eq!(sweep(&app, TimeDelta::days(1)).await.unwrap().deleted, 1);
    }

    async fn a_released_object_is_an_orphan(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let object = stored(&app, &team, b"a").await;
        keep(&app, &team, &object).await.unwrap();
        let mut tx = app.db.begin().await.unwrap();
        release(&mut tx, &team.tenant, &object.id).await.unwrap();
        tx.commit().await.unwrap();
        // The machine's clock and the database's may differ by a little.
        let swept = sweep(&app, TimeDelta::minutes(-5)).await.unwrap();
        assert_eq!(swept.deleted, 1);
    }

    async fn a_sweep_that_fails_is_finished_by_the_next(db: Db) {
        let (flaky, switches) = Flaky::new();
        let app = TestApp::with_blobs(db, BlobStore::over(Arc::new(flaky)));
        let team = app.team().await;
        let object = stored(&app, &team, b"a").await;
        switches.deletes_fail.store(true, Ordering::SeqCst);
        let swept = sweep(&app, TimeDelta::minutes(-5)).await.unwrap();
        assert_eq!((swept.deleted, swept.failed), (0, 1));
        assert!(matches!(keep(&app, &team, &object).await.unwrap_err(), ObjectError::Swept));
        switches.deletes_fail.store(false, Ordering::SeqCst);
        let swept = sweep(&app, TimeDelta::minutes(-5)).await.unwrap();
        assert_eq!((swept.deleted, swept.failed), (1, 0));
    }

    async fn files_of_dead_uploads_go_and_racing_ones_stay(db: Db) {
        let directory = tempfile::tempdir().unwrap();
        let app = TestApp::with_blobs(db, BlobStore::local(directory.path()).unwrap());
        let team = app.team().await;
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        let racing = Box::pin(put(&app, &team.tenant, "state", server, 32 << 20));
        let rest = async {
            // Not to be compressed: the store only begins to write once a part is full.
            let mut content = vec![0; 12 << 20];
            rand::fill(&mut content[..]);
            client.write_all(&content).await.unwrap();
            let unfinished = || files(directory.path()).into_iter().find(|it| is_unfinished(it));
            let racing = loop {
                match unfinished() {
                    Some(racing) => break racing,
                    None => tokio::task::yield_now().await,
                }
            };
            let dead = racing.with_file_name("blob-of-a-dead-process#1");
            std::fs::write(&dead, "half of it").unwrap();
            let days_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 86_400);
            std::fs::File::open(&dead).unwrap().set_modified(days_ago).unwrap();
            assert_eq!(remove_unfinished(&app, TimeDelta::days(4)).await.unwrap(), 0);
            assert_eq!(remove_unfinished(&app, TimeDelta::days(1)).await.unwrap(), 1);
            assert!(!dead.exists() && racing.exists());
            drop(client);
            content
        };
        let (object, content) = tokio::join!(racing, rest);
        let object = object.unwrap();
        keep(&app, &team, &object).await.unwrap();
        let opened = open(&app, &team.tenant, &object.id).await.unwrap();
        assert!(opened.read_all(32 << 20).await.unwrap().expose() == &content);
        assert!(!files(directory.path()).iter().any(|it| is_unfinished(it)));
    }

    async fn a_store_that_fails_leaves_nothing_to_read(db: Db) {
        let (flaky, switches) = Flaky::new();
        let app = TestApp::with_blobs(db, BlobStore::over(Arc::new(flaky)));
        let team = app.team().await;
        switches.writes_fail.store(true, Ordering::SeqCst);
        let refused = put(&app, &team.tenant, "state", &b"a"[..], LIMIT).await.unwrap_err();
        assert!(matches!(refused, ObjectError::Fault(_)));
        let swept = sweep(&app, TimeDelta::minutes(-5)).await.unwrap();
        assert_eq!((swept.deleted, swept.failed), (1, 0), "its row goes");
    }
}

fn is_unfinished(path: &Path) -> bool {
    path.to_string_lossy().contains('#')
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// A row that refers to the object.
async fn refer(app: &TestApp, team: &Team, object: &Stored) {
    let mut tx = app.db.begin().await.unwrap();
    tx.query(
        "INSERT INTO state_versions (id, account_id, workspace_id, number, status, serial, lineage,
            md5, blob_id, intermediate, forced, created_by_kind, created_by_id, created_at)
         VALUES ($1, $2, $3, 1, 'finalized', 1, 'l', 'm', $4, FALSE, FALSE, 'system', 'system', $5)",
    )
    .bind(domain::ids::StateVersionId::random())
    .bind(team.tenant.account())
    .bind(&team.workspace.id)
    .bind(&object.id)
    .bind(app.clock.now())
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

/// Every column of the schema that refers to an object is known to the sweep: one that isn't would
/// have its objects deleted under it.
#[test]
fn the_sweep_knows_every_reference() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let mut table = "";
        for line in text.lines().map(str::trim) {
            for opening in ["CREATE TABLE ", "ALTER TABLE "] {
                if let Some(rest) = line.strip_prefix(opening) {
                    table = rest.split([' ', '(']).next().unwrap();
                }
            }
            let column = line
                .split_whitespace()
                .find(|word| word.ends_with("blob_id"));
            if let Some(column) = column {
                found += 1;
                let known = format!("EXCEPT SELECT {column} FROM {table}");
                assert!(
                    store::DISOWN.contains(&known),
                    "objects/store.rs: add {known}"
                );
            }
        }
    }
    assert!(found >= 8, "the schema was not read: {found}");
}

#[tokio::test]
async fn a_pipe_holds_a_few_pieces_only() {
    let given = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&given);
    let input = stream::iter((0..2_000).map(move |_| {
        counter.fetch_add(64 * 1024, Ordering::SeqCst);
        Ok(Bytes::from(vec![1; 64 * 1024]))
    }));
    let mut output = pipe::through(input, |reader, writer| {
        let mut piece = vec![0; 10_000];
        loop {
            match reader.read(&mut piece)? {
                0 => return Ok(()),
                length => writer.write_all(&piece[..length])?,
            }
        }
    });
    let mut taken = 0;
    let mut furthest_ahead = 0;
    while let Some(piece) = output.next().await {
        taken += piece.unwrap().len();
        furthest_ahead = furthest_ahead.max(given.load(Ordering::SeqCst) - taken);
    }
    assert_eq!(taken, 2_000 * 64 * 1024);
    assert!(
        furthest_ahead < 2 * 1024 * 1024,
        "{furthest_ahead} bytes in flight"
    );
}

#[tokio::test]
async fn a_cut_input_is_an_error_on_both_sides() {
    let cut = || {
        stream::iter([
            Ok(Bytes::from_static(b"half")),
            Err(io::Error::other("gone")),
        ])
    };
    let read = pipe::read_blocking(cut(), |reader| {
        let mut text = String::new();
        reader.read_to_string(&mut text).is_err()
    });
    assert_eq!(
        read.await.unwrap_err().to_string(),
        "gone",
        "whatever the reader made of it"
    );
    let copied: Result<Vec<Bytes>, _> =
        pipe::through(cut(), |reader, writer| io::copy(reader, writer).map(|_| ()))
            .try_collect()
            .await;
    assert_eq!(copied.unwrap_err().to_string(), "gone");
}

#[tokio::test]
async fn work_need_not_read_to_the_end() {
    let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[7; 4096])));
    let first = pipe::read_blocking(endless, |reader| {
        let mut byte = [0];
        reader.read_exact(&mut byte).map(|()| byte[0])
    });
    assert_eq!(first.await.unwrap().unwrap(), 7);
}
