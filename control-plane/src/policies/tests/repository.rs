//! Groups from repositories, with the fetch played: what a runner does is tested end to end.

use db::Db;
use domain::ids::PolicyRevisionId;
use domain::job::{FetchOwnerKind, FetchStatus};
use serde_json::{Value, json};
use testkit::both_databases;

use super::*;
use crate::fetches::{self, Fetch, Owner};
use crate::objects;
use crate::policies::CommitInfo;
use crate::schema::MIGRATOR;

fn git(reference: &str) -> Value {
    json!({ "url": "https://git.test/infra", "reference": reference, "token": "s3cret" })
}

async fn newest(app: &TestApp, team: &Team, group: &str) -> PolicyRevisionId {
    let read = read(app, team, group).await;
    let relation = &read.data()["relationships"]["newest-revision"]["data"]["id"];
    relation.as_str().unwrap().parse().unwrap()
}

async fn fetch_of(app: &TestApp, team: &Team, revision: &PolicyRevisionId) -> Fetch {
    let owner = Owner {
        kind: FetchOwnerKind::PolicyRevisions,
        id: revision.to_string(),
    };
    let mut conn = app.db.acquire().await.unwrap();
    let found = fetches::latest(&mut conn, &team.tenant, &owner).await;
    found.unwrap().unwrap()
}

/// As if a runner had brought these files.
async fn bring(
    app: &TestApp,
    team: &Team,
    revision: &PolicyRevisionId,
    files: Vec<u8>,
) -> Result<(), policies::PolicyError> {
    let stored = objects::put(
        app,
        &team.tenant,
        "configuration",
        files.as_slice(),
        1 << 20,
    )
    .await;
    let stored = stored.unwrap();
    let mut tx = app.db.begin().await.unwrap();
    let commit = CommitInfo {
        sha: "c0ffee".to_owned(),
        ..CommitInfo::default()
    };
    policies::fetched(app, &mut tx, &team.tenant, revision, commit, &stored).await?;
    tx.commit().await.unwrap();
    policies::check_waiting(app).await
}

both_databases! { MIGRATOR;
    async fn a_fetch_is_asked_for_and_its_files_are_checked(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let attributes = json!({ "name": "base", "is-enforced": true, "git": git("main") });
        let group = create(&app, &team, attributes).await;
        let shown = super::read(&app, &team, &group).await;
        assert_eq!(shown.attribute("status"), "fetching");
        assert_eq!(shown.attribute("source"), "repository");
        assert!(!shown.text().contains("s3cret"));
        let first = newest(&app, &team, &group).await;
        let fetch = fetch_of(&app, &team, &first).await;
        assert_eq!(fetch.git.reference, "main");
        bring(&app, &team, &first, good()).await.unwrap();
        let found = revision(&app, &team, first.as_str()).await;
        assert_eq!(found.attribute("status"), "good", "{}", found.text());
        assert_eq!(found.attribute("commit")["sha"], "c0ffee");
        assert_eq!(in_force(&app, &team).await, ["base"]);
        let uploads = app.post(format!("/api/v2/policy-groups/{group}/revisions"));
        assert_eq!(uploads.by(&team.admin).await.expect(409).code(), "policies.other-source");
    }

    async fn a_failed_fetch_leaves_the_good_revision(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let attributes = json!({ "name": "base", "is-enforced": true, "git": git("main") });
        let group = create(&app, &team, attributes).await;
        bring(&app, &team, &newest(&app, &team, &group).await, good()).await.unwrap();
        let resync = format!("/api/v2/policy-groups/{group}/actions/resync");
        app.post(&resync).by(&team.admin).await.expect(200);
        let second = newest(&app, &team, &group).await;
        let mut tx = app.db.begin().await.unwrap();
        policies::fetch_failed(&app, &mut tx, &team.tenant, &second, "no such branch").await.unwrap();
        tx.commit().await.unwrap();
        let shown = super::read(&app, &team, &group).await;
        assert_eq!(shown.attribute("status"), "errored");
        assert_eq!(shown.attribute("error-message"), "no such branch");
        assert_eq!(in_force(&app, &team).await, ["base"]);
        // What comes late changes nothing.
        assert!(bring(&app, &team, &second, good()).await.is_err());
        let found = revision(&app, &team, second.as_str()).await;
        assert_eq!(found.attribute("status"), "errored");
    }

    async fn a_newer_fetch_drops_the_one_before(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group = create(&app, &team, json!({ "name": "base", "git": git("main") })).await;
        let first = newest(&app, &team, &group).await;
        change(&app, &team, &group, json!({ "git": git("next") })).await.expect(200);
        let second = newest(&app, &team, &group).await;
        assert_ne!(first, second);
        assert_eq!(fetch_of(&app, &team, &first).await.status, FetchStatus::Canceled);
        assert_eq!(fetch_of(&app, &team, &second).await.status, FetchStatus::Waiting);
        app.delete(format!("/api/v2/policy-groups/{group}")).by(&team.admin).await.expect(204);
        assert_eq!(fetch_of(&app, &team, &second).await.status, FetchStatus::Canceled);
    }

    async fn going_back_to_uploads_ends_the_fetch_and_its_revision(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group = create(&app, &team, json!({ "name": "base", "git": git("main") })).await;
        let first = newest(&app, &team, &group).await;
        change(&app, &team, &group, json!({ "git": null })).await.expect(200);
        assert_eq!(fetch_of(&app, &team, &first).await.status, FetchStatus::Canceled);
        let found = revision(&app, &team, first.as_str()).await;
        assert_eq!(found.attribute("status"), "errored", "{}", found.text());
        let shown = super::read(&app, &team, &group).await;
        assert_eq!(shown.attribute("status"), "errored");
    }

    async fn a_proposal_is_fetched_from_where_it_says_and_never_put_in_force(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let attributes = json!({ "name": "base", "is-enforced": true, "git": git("main") });
        let group = create(&app, &team, attributes).await;
        let first = newest(&app, &team, &group).await;
        bring(&app, &team, &first, good()).await.unwrap();
        let propose = |attributes: Value| {
            app.post(format!("/api/v2/policy-groups/{group}/revisions"))
                .by(&team.admin)
                .attributes("policy-revisions", attributes)
        };
        let made = propose(json!({ "proposed": true, "reference": "change-7" })).await.expect(201);
        assert_eq!(made.attribute("status"), "fetching");
        assert!(made.attribute("upload-url").is_null());
        let proposed: PolicyRevisionId = made.id().parse().unwrap();
        let fetch = fetch_of(&app, &team, &proposed).await;
        assert_eq!((fetch.git.reference.as_str(), fetch.status), ("change-7", FetchStatus::Waiting));
        let waits = revision(&app, &team, proposed.as_str()).await;
        assert_eq!(waits.attribute("wait-reason")["code"], "starting", "{}", waits.text());
        // The group goes its own way meanwhile.
        let resync = format!("/api/v2/policy-groups/{group}/actions/resync");
        app.post(&resync).by(&team.admin).await.expect(200);
        assert_eq!(fetch_of(&app, &team, &proposed).await.status, FetchStatus::Waiting);
        let second = newest(&app, &team, &group).await;
        bring(&app, &team, &second, good()).await.unwrap();
        bring(&app, &team, &proposed, good()).await.unwrap();
        let found = revision(&app, &team, proposed.as_str()).await;
        assert_eq!(found.attribute("status"), "good", "{}", found.text());
        let shown = super::read(&app, &team, &group).await;
        let in_force = &shown.data()["relationships"]["revision-in-force"]["data"]["id"];
        assert_eq!(in_force, second.as_str());
        assert_eq!(newest(&app, &team, &group).await, second);

        let unheard = propose(json!({ "reference": "change-7" })).await.expect(422);
        assert!(unheard.text().contains("/data/attributes/reference"), "{}", unheard.text());
        propose(json!({ "proposed": true, "reference": "" })).await.expect(422);
        let last = propose(json!({ "proposed": true, "reference": "change-8" })).await.expect(201);
        let last: PolicyRevisionId = last.id().parse().unwrap();
        change(&app, &team, &group, json!({ "is-enforced": false })).await.expect(200);
        app.delete(format!("/api/v2/policy-groups/{group}")).by(&team.admin).await.expect(204);
        assert_eq!(fetch_of(&app, &team, &last).await.status, FetchStatus::Canceled);

        let uploads = create(&app, &team, json!({ "name": "uploads" })).await;
        let refused = app.post(format!("/api/v2/policy-groups/{uploads}/revisions"))
            .by(&team.admin)
            .attributes("policy-revisions", json!({ "proposed": true, "reference": "main" }))
            .await.expect(422);
        assert!(refused.text().contains("has no repository"), "{}", refused.text());
    }
}
