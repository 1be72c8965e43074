//! States that runners bring.

use db::Db;
use domain::ids::StateVersionId;
use serde_json::json;
use testkit::both_databases;

use super::{
    applying, bring, current, grant, hold, push, set, setup, state, version, workspace_path,
};
use crate::schema::MIGRATOR;
use crate::state::{Disposition, RunStateGrant, StateError, of_run, open_current};
use crate::testing::{Team, TestApp};

fn stored(disposition: Disposition) -> StateVersionId {
    let Disposition::Stored(id) = disposition else {
        panic!("{disposition:?}");
    };
    id
}

fn quarantined(disposition: Disposition) -> (StateVersionId, String) {
    let Disposition::Quarantined(id, reason) = disposition else {
        panic!("{disposition:?}");
    };
    (id, reason)
}

async fn kept(app: &TestApp, team: &Team) -> usize {
    let list = app
        .get(workspace_path(team, "quarantined-states"))
        .by(&team.admin)
        .await;
    list.expect(200).data().as_array().unwrap().len()
}

both_databases! { MIGRATOR;
    async fn snapshots_and_the_final_state_follow_each_other(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 1, "l", "a").await;
        let run = applying(&app, &team).await;
        let snapshot = grant(&team, &run);
        let first = bring(&app, &snapshot, &state(2, "l", "b"), 2, "l").await.unwrap();
        let first = stored(first);
        let read = version(&app, &team, &first).await.expect(200);
        assert_eq!(read.attribute("intermediate"), true);
        assert_eq!(read.data()["relationships"]["run"]["data"]["id"], run.id.to_string());
        let last = RunStateGrant { final_state: true, ..snapshot.clone() };
        let second = stored(bring(&app, &last, &state(9, "l", "c"), 9, "l").await.unwrap());
        let now = current(&app, &team).await.expect(200);
        assert_eq!((now.id(), now.attribute("intermediate")), (second.to_string(), json!(false)));

        // Sent again, in whichever order, nothing is stored twice.
        for (serial, mark, id) in [(2, "b", &first), (9, "c", &second)] {
            let again = bring(&app, &snapshot, &state(serial, "l", mark), serial, "l").await;
            assert_eq!(again.unwrap(), Disposition::Duplicate(id.clone()));
        }
        assert_eq!(kept(&app, &team).await, 0);
        let mut conn = app.db.acquire().await.unwrap();
        assert_eq!(of_run(&mut conn, &team.tenant, &run.id).await.unwrap(), [first, second.clone()]);
        drop(conn);
        let (version, object) =
            open_current(&app, &team.tenant, &team.workspace.id).await.unwrap().unwrap();
        assert_eq!(version.id, second);
        assert_eq!(object.size(), state(9, "l", "c").len() as u64);
    }

    async fn the_first_state_of_a_workspace_is_welcome(db: Db) {
        let (app, team) = setup(db).await;
        assert!(open_current(&app, &team.tenant, &team.workspace.id).await.unwrap().is_none());
        let run = applying(&app, &team).await;
        stored(bring(&app, &grant(&team, &run), &state(0, "l", "a"), 0, "l").await.unwrap());
        assert_eq!(current(&app, &team).await.expect(200).attribute("serial"), 0);
    }

    async fn what_a_stale_runner_brings_is_kept_and_not_used(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 1, "l", "a").await;
        let run = applying(&app, &team).await;
        let content = state(2, "l", "b");
        let stale = RunStateGrant { epoch: 0, ..grant(&team, &run) };
        let (id, reason) = quarantined(bring(&app, &stale, &content, 2, "l").await.unwrap());
        assert!(reason.contains("epoch 1, not 0"), "{reason}");
        let again = quarantined(bring(&app, &stale, &content, 2, "l").await.unwrap());
        assert_eq!(again.0, id, "sent twice, kept once");
        let read = version(&app, &team, &id).await.expect(200);
        assert_eq!(read.attribute("status"), "quarantined");
        assert_eq!(read.attribute("quarantine-reason"), reason);
        assert_eq!(read.attribute("resources")[0]["count"], 2);
        assert_eq!(current(&app, &team).await.expect(200).attribute("serial"), 1);
        let of_run = app.get(workspace_path(&team,
            &format!("quarantined-states?filter%5Brun%5D%5Bid%5D={}", run.id))).by(&team.reader).await;
        assert_eq!(of_run.expect(200).data()[0]["id"], id.to_string());
        assert_eq!(app.audited(&team.tenant, "state-version.quarantine").await, 1);
        // The same bytes under a valid lease are accepted after all.
        stored(bring(&app, &grant(&team, &run), &content, 2, "l").await.unwrap());
    }

    async fn other_lineages_older_serials_and_garbage_are_kept_and_not_used(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 5, "l", "a").await;
        let run = applying(&app, &team).await;
        let grant = grant(&team, &run);
        for (content, serial, lineage, why) in [
            (state(6, "m", "b"), 6, "m", "another configuration"),
            (state(4, "l", "b"), 4, "l", "older"),
            (state(5, "l", "b"), 5, "l", "another state with serial 5"),
            (state(7, "l", "b"), 6, "l", "not what was announced"),
            ("torn {".to_owned(), 6, "l", "can't be read"),
            (String::new(), 6, "l", "can't be read"),
        ] {
            let (id, reason) =
                quarantined(bring(&app, &grant, &content, serial, lineage).await.unwrap());
            assert!(reason.contains(why), "{reason}");
            let raw = app.get(format!("/api/v2/state-versions/{id}/download")).by(&team.admin).await;
            assert_eq!(raw.expect(200).text(), content);
        }
        assert_eq!(kept(&app, &team).await, 6);
        assert_eq!(current(&app, &team).await.expect(200).attribute("serial"), 5);
    }

    async fn damaged_bytes_are_sent_again(db: Db) {
        let (app, team) = setup(db).await;
        let run = applying(&app, &team).await;
        let stored = crate::objects::put(&app, &team.tenant, "state", &b"x"[..], 10).await.unwrap();
        let announced = crate::state::Announced {
            serial: 1, lineage: "l".to_owned(), md5: super::md5_of("y"), size: 1,
        };
        let refused =
            crate::state::accept_from_run(&app, &grant(&team, &run), &announced, stored).await;
        assert!(matches!(refused.unwrap_err(), StateError::WrongMd5 { .. }));
    }

    async fn a_run_that_holds_nothing_writes_nothing(db: Db) {
        let (app, team) = setup(db).await;
        let run = app.run_in_progress(&team.workspace).await;
        let content = state(1, "l", "a");
        let (_, reason) =
            quarantined(bring(&app, &grant(&team, &run), &content, 1, "l").await.unwrap());
        assert!(reason.contains("does not hold"), "{reason}");
        let elsewhere = app.workspace(&team.environment, "elsewhere").await;
        let other = app.run_in_progress(&elsewhere).await;
        hold(&app, &team.workspace.id, &run).await;
        let borrowed = RunStateGrant { job: other.job.clone(), ..grant(&team, &run) };
        let content = state(1, "l", "b");
        let (_, reason) = quarantined(bring(&app, &borrowed, &content, 1, "l").await.unwrap());
        assert!(reason.contains("another run"), "{reason}");
    }

    async fn a_recovery_grant_outlives_the_lease(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 1, "l", "a").await;
        let run = applying(&app, &team).await;
        let recovery = RunStateGrant { recovery: true, final_state: true, ..grant(&team, &run) };
        set(&app, "UPDATE jobs SET status = 'abandoned' WHERE id = $1", run.job.as_str()).await;
        let content = state(2, "l", "b");
        let (_, reason) = quarantined(bring(&app, &recovery, &content, 2, "l").await.unwrap());
        assert!(reason.contains("has ended"), "{reason}");

        grant_recovery(&app, &run.job, 60).await;
        stored(bring(&app, &recovery, &content, 2, "l").await.unwrap());
        grant_recovery(&app, &run.job, -60).await;
        quarantined(bring(&app, &recovery, &state(3, "l", "c"), 3, "l").await.unwrap());
        // Whoever took the workspace meanwhile is not overwritten.
        grant_recovery(&app, &run.job, 60).await;
        set(&app, "UPDATE workspaces SET lock_holder_id = 'run-other' WHERE id = $1",
            team.workspace.id.as_str()).await;
        quarantined(bring(&app, &recovery, &state(4, "l", "d"), 4, "l").await.unwrap());
    }

    async fn what_a_revoked_runner_brings_waits_for_a_person(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 1, "l", "a").await;
        let run = applying(&app, &team).await;
        let mut tx = app.db.begin().await.unwrap();
        let pool: String = tx.query("SELECT pool_id FROM jobs WHERE id = $1").bind(&run.job)
            .fetch_scalar().await.unwrap();
        tx.commit().await.unwrap();
        let runner = app.runner(&team.tenant, &pool).await;
        let mut tx = app.db.begin().await.unwrap();
        tx.query("UPDATE jobs SET runner_id = $2 WHERE id = $1")
            .bind(&run.job).bind(&runner).execute().await.unwrap();
        tx.commit().await.unwrap();
        stored(bring(&app, &grant(&team, &run), &state(2, "l", "b"), 2, "l").await.unwrap());
        set(&app, "UPDATE runners SET revoked_at = created_at WHERE id = $1", runner.as_str())
            .await;
        // Its lease holds still, and the state would fit.
        for revoked in [
            grant(&team, &run),
            RunStateGrant { final_state: true, recovery: true, ..grant(&team, &run) },
            RunStateGrant { renumber: true, ..grant(&team, &run) },
        ] {
            let content = state(3, "l", "c");
            let (id, reason) = quarantined(bring(&app, &revoked, &content, 3, "l").await.unwrap());
            assert!(reason.contains("revoked"), "{reason}");
            let again = bring(&app, &revoked, &content, 3, "l").await.unwrap();
            assert_eq!(quarantined(again).0, id, "sent twice, kept once");
        }
        assert_eq!(current(&app, &team).await.expect(200).attribute("serial"), 2);
    }

    async fn a_newer_state_with_an_old_serial_is_renumbered_if_the_runner_says_so(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 5, "l", "a").await;
        let run = applying(&app, &team).await;
        let errored =
            RunStateGrant { renumber: true, final_state: true, ..grant(&team, &run) };
        let id = stored(bring(&app, &errored, &state(0, "l", "b"), 0, "l").await.unwrap());
        let now = current(&app, &team).await.expect(200);
        assert_eq!((now.id(), now.attribute("serial")), (id.to_string(), json!(6)));
        let raw = app.get(format!("/api/v2/state-versions/{id}/download")).by(&team.admin).await;
        let content: serde_json::Value = serde_json::from_slice(&raw.expect(200).body).unwrap();
        assert_eq!(content["serial"], 6);
        assert_eq!(content["resources"][0]["instances"][0]["attributes"]["id"], "b");
        let again = bring(&app, &errored, &state(0, "l", "b"), 0, "l").await.unwrap();
        assert_eq!(again, Disposition::Duplicate(id), "sent twice, stored once");
        // Another lineage stays another lineage.
        quarantined(bring(&app, &errored, &state(0, "m", "c"), 0, "m").await.unwrap());
    }
}

async fn grant_recovery(app: &TestApp, job: &domain::ids::JobId, seconds: i64) {
    let until = app.clock.now() + chrono::TimeDelta::seconds(seconds);
    let mut tx = app.db.begin().await.unwrap();
    tx.query("UPDATE jobs SET recovery_until = $2 WHERE id = $1")
        .bind(job)
        .bind(until)
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
}
