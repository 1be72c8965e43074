//! What an object store or a connection that fails in the middle leaves behind: nothing half, and
//! nothing lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use blob::BlobStore;
use bytes::Bytes;
use db::Db;
use futures::stream;
use serde_json::json;
use testkit::both_databases;

use super::{
    announce, applying, bring, current, grant, inline, lock, push, state, unlock, upload, url,
    version, workspace_path,
};
use crate::schema::MIGRATOR;
use crate::state::Disposition;
use crate::testing::{Flaky, Switches, Team, TestApp};

async fn setup(db: Db) -> (TestApp, Team, Arc<Switches>) {
    let (flaky, switches) = Flaky::new();
    let app = TestApp::with_blobs(db, BlobStore::over(Arc::new(flaky)));
    let team = app.team().await;
    lock(&app, &team, &team.admin).await.expect(200);
    (app, team, switches)
}

/// A text that does not compress away: its object takes several reads.
fn noise() -> String {
    hex::encode(std::array::from_fn::<u8, 150_000, _>(|_| rand::random()))
}

fn heal(switches: &Switches) {
    switches.writes_fail.store(false, Ordering::SeqCst);
    switches.reads_left.store(-1, Ordering::SeqCst);
}

both_databases! { MIGRATOR;
    async fn an_upload_is_tried_again_after_the_store_failed(db: Db) {
        let (app, team, switches) = setup(db).await;
        let content = state(1, "l", &noise());
        let announced = announce(&app, &team, &content, 1, "l").await.expect(201);
        let path = url(&announced, "hosted-state-upload-url");
        switches.writes_fail.store(true, Ordering::SeqCst);
        upload(&app, &path, &content).await.expect(500);
        heal(&switches);
        // Stored, but not to be read back: nothing is known of it, so it is not called bad.
        for reads in 0..3 {
            switches.reads_left.store(reads, Ordering::SeqCst);
            upload(&app, &path, &content).await.expect(500);
            heal(&switches);
            let read = version(&app, &team, &announced.id()).await;
            assert_eq!(read.attribute("status"), "pending");
        }
        upload(&app, &path, &content).await.expect(200);
        assert_eq!(current(&app, &team).await.expect(200).id(), announced.id());
    }

    async fn a_connection_that_breaks_leaves_the_announcement_open(db: Db) {
        let (app, team, _) = setup(db).await;
        let content = state(1, "l", "a");
        let announced = announce(&app, &team, &content, 1, "l").await.expect(201);
        let path = url(&announced, "hosted-state-upload-url");
        let half = Bytes::from(content[..50].to_owned());
        let cut = stream::iter([Ok(half), Err(std::io::Error::other("gone"))]);
        let refused =
            app.put(&path).streaming("application/octet-stream", Body::from_stream(cut)).await;
        assert_eq!(refused.expect(400).code(), "objects.broken-off");
        upload(&app, &path, &content).await.expect(200);
    }

    async fn an_inline_state_is_all_or_nothing(db: Db) {
        let (app, team, switches) = setup(db).await;
        let content = state(1, "l", &noise());
        switches.writes_fail.store(true, Ordering::SeqCst);
        inline(&app, &team, &content).await.expect(500);
        heal(&switches);
        switches.reads_left.store(1, Ordering::SeqCst);
        inline(&app, &team, &content).await.expect(500);
        heal(&switches);
        current(&app, &team).await.expect(404);
        unlock(&app, &team, &team.admin).await.expect(200);
        lock(&app, &team, &team.admin).await.expect(200);
        inline(&app, &team, &content).await.expect(201);
    }

    async fn a_runner_keeps_its_copy_until_it_is_stored(db: Db) {
        let (app, team, switches) = setup(db).await;
        push(&app, &team, 1, "l", "a").await;
        let run = applying(&app, &team).await;
        let content = state(2, "l", &noise());
        for reads in 0..3 {
            switches.reads_left.store(reads, Ordering::SeqCst);
            bring(&app, &grant(&team, &run), &content, 2, "l").await.unwrap_err();
            heal(&switches);
        }
        let kept = app.get(workspace_path(&team, "quarantined-states")).by(&team.admin).await;
        assert_eq!(kept.data(), json!([]), "a fault of ours is not the state's");
        let done = bring(&app, &grant(&team, &run), &content, 2, "l").await.unwrap();
        assert!(matches!(done, Disposition::Stored(_)));
    }

    async fn going_back_fails_whole(db: Db) {
        let (app, team, switches) = setup(db).await;
        let first = push(&app, &team, 1, "l", &noise()).await;
        let second = push(&app, &team, 2, "l", "b").await;
        let back = || {
            app.patch(workspace_path(&team, "state-versions")).by(&team.admin).json(&json!({
                "data": { "relationships": { "rollback-state-version": {
                    "data": { "type": "state-versions", "id": first } } } } }))
        };
        for reads in 0..4 {
            switches.reads_left.store(reads, Ordering::SeqCst);
            back().await.expect(500);
            heal(&switches);
            assert_eq!(current(&app, &team).await.id(), second.to_string());
        }
        assert_eq!(back().await.expect(201).attribute("serial"), 3);
    }
}
