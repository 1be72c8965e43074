//! Keys are rotated while everybody writes, and nothing is lost.

use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blob::BlobStore;
use db::Db;
use futures::future::join_all;
use serde_json::json;
use tempfile::TempDir;
use testkit::both_databases;
use vault::InstallationKey;

use super::{rewrap_keys, rotate_account_keys};
use crate::schema::MIGRATOR;
use crate::testing::{Team, TestApp};
use crate::variables;

/// Writes variables until it is told to stop, and reads each again at once; gives what was written.
async fn write_variables(
    app: &TestApp,
    team: &Team,
    writer: usize,
    done: &AtomicBool,
) -> Vec<String> {
    let path = format!("/api/v2/workspaces/{}/vars", team.workspace.id);
    let mut written = Vec::new();
    while !done.load(Ordering::SeqCst) && written.len() < 150 {
        let value = format!("value-{writer}-{}", written.len());
        let key = value.replace('-', "_");
        let attributes =
            json!({ "key": key, "value": value, "category": "env", "sensitive": true });
        app.post(&path)
            .by(&team.admin)
            .attributes("vars", attributes)
            .await
            .expect(201);
        written.push(value);
    }
    written
}

/// Writes states until it is told to stop; gives the ids and what is in each.
async fn write_states(app: &TestApp, team: &Team, done: &AtomicBool) -> Vec<(String, String)> {
    let path = format!("/api/v2/workspaces/{}", team.workspace.id);
    app.post(format!("{path}/actions/lock"))
        .by(&team.admin)
        .await
        .expect(200);
    let mut written = Vec::new();
    while !done.load(Ordering::SeqCst) && written.len() < 100 {
        let serial = written.len() + 1;
        let content = json!({
            "version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": "rotated",
            "outputs": { "serial": { "value": serial, "type": "number" } }, "resources": [],
        });
        let content = content.to_string();
        let attributes = json!({ "state": STANDARD.encode(&content) });
        let made = app
            .post(format!("{path}/state-versions"))
            .by(&team.admin)
            .attributes("state-versions", attributes)
            .await
            .expect(201);
        let read = app
            .get(format!("/api/v2/state-versions/{}/download", made.id()))
            .by(&team.admin)
            .await
            .expect(200);
        assert_eq!(read.text(), content);
        written.push((made.id(), content));
    }
    written
}

/// The values of all variables of a workspace, opened.
async fn values(app: &TestApp, team: &Team) -> Vec<String> {
    let mut conn = app.db.acquire().await.unwrap();
    let found = variables::effective(
        app,
        &mut conn,
        &team.tenant,
        &team.environment.id,
        &team.workspace.id,
    )
    .await
    .unwrap();
    let mut values: Vec<String> = found.iter().map(|it| it.value.expose().clone()).collect();
    values.sort();
    values
}

both_databases! { MIGRATOR;
    async fn nothing_is_lost_while_keys_are_rotated(db: Db) {
        let directory = TempDir::new().unwrap();
        let blobs = BlobStore::local(directory.path()).unwrap();
        let (old, new) = (InstallationKey::generate(), InstallationKey::generate());
        let replica = |current: &InstallationKey, earlier: Vec<InstallationKey>| {
            let ring = vault::Keyring::new(current.clone(), earlier);
            TestApp::with_keys(db.clone(), blobs.clone(), ring)
        };
        let before = replica(&old, Vec::new());
        let (team, states) = (before.team().await, before.team().await);
        let mut expected = write_variables(&before, &team, 9, &AtomicBool::new(false)).await;

        // Two replicas with both keys serve; on one of them the operator rotates.
        let (one, two) = (replica(&new, vec![old.clone()]), replica(&new, vec![old.clone()]));
        let done = AtomicBool::new(false);
        let writers = join_all((0..4).map(|writer| {
            let app = if writer % 2 == 0 { &one } else { &two };
            write_variables(app, &team, writer, &done)
        }));
        let rotation = async {
            let mut moved = 0;
            let mut teams = Vec::new();
            for _ in 0..4 {
                moved += rewrap_keys(&two).await.unwrap();
                let accounts = rotate_account_keys(&two, None).await.unwrap();
                assert!(accounts >= 2);
                teams.push(one.team().await);
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            done.store(true, Ordering::SeqCst);
            (moved, teams)
        };
        let (written, states_written, (moved, teams)) =
            tokio::join!(writers, write_states(&one, &states, &done), rotation);
        assert!(moved >= 2, "the keys of both accounts were moved");
        assert!(!states_written.is_empty());
        assert!(written.iter().all(|it| !it.is_empty()), "everybody has written meanwhile");
        expected.extend(written.into_iter().flatten());
        expected.sort();

        // The old key is thrown away.
        let after = replica(&new, Vec::new());
        assert_eq!(values(&after, &team).await, expected);
        for (id, content) in &states_written {
            let path = format!("/api/v2/state-versions/{id}/download");
            assert_eq!(after.get(path).by(&states.admin).await.expect(200).text(), content);
        }
        for team in teams {
            write_variables(&after, &team, 0, &AtomicBool::new(true)).await;
            assert!(values(&after, &team).await.is_empty());
        }
        let path = format!("/api/v2/workspaces/{}/vars", team.workspace.id);
        let attributes = json!({ "key": "last", "value": "value-last", "category": "env" });
        after.post(path).by(&team.admin).attributes("vars", attributes).await.expect(201);
        // And the old one alone opens nothing any more.
        let mut conn = before.db.acquire().await.unwrap();
        let fresh = replica(&old, Vec::new());
        let opened = variables::effective(&fresh, &mut conn, &team.tenant, &team.environment.id, &team.workspace.id).await;
        assert!(opened.is_err());
    }
}
