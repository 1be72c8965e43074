//! Decisions of people: going back, and promoting what is in quarantine; and sealed journals.

use db::Db;
use serde_json::{Value, json};
use testkit::both_databases;
use tokio::io::AsyncReadExt;
use vault::sealed::{RecipientPublicKey, seal_to};

use super::{
    applying, bring, current, grant, hold, lock, push, set, setup, state, unlock, version,
    workspace_path,
};
use crate::objects;
use crate::schema::MIGRATOR;
use crate::state::{Disposition, RunStateGrant, open_sealed_journal};
use crate::testing::{Answer, Team, TestApp, TestRun, TestUser};

async fn roll_back(app: &TestApp, team: &Team, to: &impl ToString) -> Answer {
    app.patch(workspace_path(team, "state-versions"))
        .by(&team.admin)
        .json(
            &json!({ "data": { "type": "state-versions", "relationships": {
            "rollback-state-version": { "data": {
                "type": "state-versions", "id": to.to_string() } } } } }),
        )
        .await
}

async fn promote(app: &TestApp, id: &impl ToString, who: &TestUser) -> Answer {
    app.post(format!(
        "/api/v2/state-versions/{}/actions/promote",
        id.to_string()
    ))
    .by(who)
    .await
}

async fn content(app: &TestApp, team: &Team, id: &str) -> Value {
    let raw = app
        .get(format!("/api/v2/state-versions/{id}/download"))
        .by(&team.admin)
        .await;
    serde_json::from_slice(&raw.expect(200).body).unwrap()
}

/// A state in quarantine, of a run that holds the workspace no more.
async fn quarantined(
    app: &TestApp,
    team: &Team,
    serial: i64,
    lineage: &str,
    mark: &str,
) -> (String, TestRun) {
    let run = applying(app, team).await;
    let stale = RunStateGrant {
        epoch: 0,
        ..grant(team, &run)
    };
    let brought = bring(app, &stale, &state(serial, lineage, mark), serial, lineage).await;
    let Disposition::Quarantined(id, _) = brought.unwrap() else {
        panic!("not in quarantine")
    };
    set(
        app,
        "UPDATE workspaces SET lock_kind = NULL, lock_holder_id = NULL, locked_at = NULL
        WHERE id = $1",
        team.workspace.id.as_str(),
    )
    .await;
    (id.to_string(), run)
}

both_databases! { MIGRATOR;
    async fn going_back_makes_a_new_version(db: Db) {
        let (app, team) = setup(db).await;
        let first = push(&app, &team, 3, "l", "first").await;
        push(&app, &team, 8, "l", "second").await;
        let made = roll_back(&app, &team, &first).await.expect(201);
        assert_eq!(made.attribute("serial"), 9);
        assert_eq!(made.attribute("status"), "finalized");
        assert_eq!(
            made.data()["relationships"]["rollback-state-version"]["data"]["id"],
            first.to_string()
        );
        assert_eq!(current(&app, &team).await.expect(200).id(), made.id());
        let now = content(&app, &team, &made.id()).await;
        let old = content(&app, &team, first.as_str()).await;
        assert_eq!((&now["serial"], &old["serial"]), (&json!(9), &json!(3)));
        assert_eq!((&now["resources"], &now["outputs"]), (&old["resources"], &old["outputs"]));
        let outputs =
            app.get(workspace_path(&team, "current-state-version-outputs")).by(&team.admin).await;
        assert_eq!(outputs.each("name"), ["ip", "key", "ports"]);
        assert_eq!(app.audited(&team.tenant, "state-version.roll-back").await, 1);
        // And work goes on from there.
        push(&app, &team, 10, "l", "third").await;
    }

    async fn going_back_needs_the_lock_and_a_version_of_the_workspace(db: Db) {
        let (app, team) = setup(db).await;
        let first = push(&app, &team, 1, "l", "a").await;
        let other = app.team().await;
        lock(&app, &other, &other.admin).await.expect(200);
        let foreign = push(&app, &other, 1, "l", "a").await;
        for target in [foreign.to_string(), "sv-nonexisting".to_owned(), "run-1".to_owned()] {
            let refused = roll_back(&app, &team, &target).await.expect(422);
            assert_eq!(refused.pointer(), "/data/relationships/rollback-state-version");
        }
        unlock(&app, &team, &team.admin).await.expect(200);
        let refused = roll_back(&app, &team, &first).await.expect(409);
        assert_eq!(refused.code(), "state.workspace-not-locked");
    }

    async fn a_person_promotes_what_is_in_quarantine(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 1, "l", "a").await;
        let (id, _) = quarantined(&app, &team, 4, "l", "rescued").await;
        let refused = promote(&app, &id, &team.admin).await.expect(409);
        assert_eq!(refused.code(), "state.workspace-not-locked");
        lock(&app, &team, &team.admin).await.expect(200);
        promote(&app, &id, &team.reader).await.expect(403);
        let promoted = promote(&app, &id, &team.admin).await.expect(200);
        assert_eq!((promoted.id(), promoted.attribute("serial")), (id.clone(), json!(4)));
        assert_eq!(current(&app, &team).await.expect(200).id(), id);
        let again = promote(&app, &id, &team.admin).await.expect(409);
        assert_eq!(again.code(), "state.not-quarantined");
        let left = app.get(workspace_path(&team, "quarantined-states")).by(&team.admin).await;
        assert_eq!(left.data(), json!([]));
        assert_eq!(app.audited(&team.tenant, "state-version.promote").await, 1);
    }

    async fn a_promoted_state_gets_the_next_serial_when_its_own_is_taken(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 6, "l", "a").await;
        let (id, _) = quarantined(&app, &team, 4, "m", "rescued").await;
        lock(&app, &team, &team.admin).await.expect(200);
        let promoted = promote(&app, &id, &team.admin).await.expect(200);
        assert_eq!(promoted.attribute("serial"), 7);
        let now = content(&app, &team, &id).await;
        assert_eq!((&now["serial"], &now["lineage"]), (&json!(7), &json!("m")));
        let outputs =
            app.get(workspace_path(&team, "current-state-version-outputs")).by(&team.admin).await;
        assert_eq!(outputs.each("name"), ["ip", "key", "ports"]);
    }

    async fn an_uncertain_run_waits_for_that_decision(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 1, "l", "a").await;
        let (id, run) = quarantined(&app, &team, 4, "l", "rescued").await;
        hold(&app, &team.workspace.id, &run).await;
        let refused = promote(&app, &id, &team.admin).await.expect(409);
        assert_eq!(refused.code(), "state.workspace-held-by-other");
        set(&app, "UPDATE runs SET state_uncertain = TRUE WHERE id = $1", run.id.as_str()).await;
        promote(&app, &id, &team.admin).await.expect(200);
    }

    async fn garbage_is_not_promoted(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 1, "l", "a").await;
        let run = applying(&app, &team).await;
        let brought = bring(&app, &grant(&team, &run), "torn {", 2, "l").await.unwrap();
        let Disposition::Quarantined(id, _) = brought else { panic!("{brought:?}") };
        set(&app, "UPDATE runs SET state_uncertain = TRUE WHERE id = $1", run.id.as_str()).await;
        let refused = promote(&app, &id, &team.admin).await.expect(422);
        assert_eq!(refused.code(), "state.unreadable");
        assert_eq!(version(&app, &team, &id).await.attribute("status"), "quarantined");
    }

    async fn a_sealed_journal_is_opened_as_a_stream(db: Db) {
        let (app, team) = setup(db).await;
        let run = applying(&app, &team).await;
        let plain = state(1, "l", &"x".repeat(300_000));
        let id = format!("{}/{}", run.id, run.job);
        let mut tx = app.db.begin().await.unwrap();
        let key = app.keys.journal_key(&mut tx, &team.tenant, app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        let public = RecipientPublicKey::from_bytes(&key.public_key).unwrap();
        let context = vault::Context {
            account: team.tenant.account().as_str(), kind: step::SEAL_KIND, id: &id,
        };
        let mut sealed = Vec::new();
        seal_to(&public, &context, plain.as_bytes(), &mut sealed).unwrap();

        let open = async |id: &str, sealed: &[u8]| {
            let sealed = std::io::Cursor::new(sealed.to_vec());
            open_sealed_journal(&app, &team.tenant, &key.id, id, sealed).await.unwrap()
        };
        let reader = open(&id, &sealed).await;
        let stored = objects::put(&app, &team.tenant, "state", reader, u64::MAX).await.unwrap();
        assert_eq!(stored.size, plain.len() as u64);
        let announced = crate::state::Announced {
            serial: 1, lineage: "l".to_owned(), md5: super::md5_of(&plain), size: stored.size,
        };
        let recovered =
            crate::state::accept_from_run(&app, &grant(&team, &run), &announced, stored).await;
        assert!(matches!(recovered.unwrap(), Disposition::Stored(_)));

        // Cut, or of another job: an error, never a short state.
        let mut text = Vec::new();
        let mut cut = open(&id, &sealed[..sealed.len() - 1]).await;
        cut.read_to_end(&mut text).await.unwrap_err();
        let mut foreign = open("run-x/job-x", &sealed).await;
        foreign.read_to_end(&mut text).await.unwrap_err();
    }
}
