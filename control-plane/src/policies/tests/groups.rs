//! Groups from uploads: checked, in force, and kept when newer files are bad.

use db::Db;
use domain::policy::PolicyStage;
use serde_json::{Value, json};
use testkit::both_databases;

use super::*;
use crate::schema::MIGRATOR;

both_databases! { MIGRATOR;
    async fn an_upload_is_checked_and_put_in_force(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group = create(&app, &team, json!({ "name": "base", "is-enforced": true })).await;
        assert_eq!(read(&app, &team, &group).await.attribute("status"), "pending");
        let (id, answer) = upload(&app, &team, &group, good()).await;
        answer.expect(200);
        assert_eq!(read(&app, &team, &group).await.attribute("status"), "fetching");
        assert!(in_force(&app, &team).await.is_empty());
        policies::check_waiting(&app).await.unwrap();
        let checked = revision(&app, &team, &id).await;
        assert_eq!(checked.attribute("status"), "good", "{}", checked.text());
        assert_eq!(checked.attribute("policies")[0]["name"], "never");
        assert_eq!(checked.attribute("policies")[0]["enforcement-level"], "hard-mandatory");
        assert_eq!(checked.attribute("policies")[0]["digest"].as_str().unwrap().len(), 64);
        assert_eq!(checked.attribute("number"), 2, "numbered again on arrival");
        assert_eq!(read(&app, &team, &group).await.attribute("status"), "active");
        assert_eq!(in_force(&app, &team).await, ["base"]);
        let source = source(&app, &team, "base").await;
        assert_eq!(source.files.len(), 2);
        let download = app.get(format!("/api/v2/policy-revisions/{id}/download"))
            .by(&team.reader).await.expect(200);
        assert_eq!(download.body.to_vec(), good());
        assert_eq!(app.audited(&team.tenant, "policy-revision.check").await, 1);
        // Nothing waits any more: a pass changes nothing.
        policies::check_waiting(&app).await.unwrap();
        assert_eq!(app.audited(&team.tenant, "policy-revision.check").await, 1);
    }

    async fn bad_files_leave_the_last_good_ones_in_force(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group = create(&app, &team, json!({ "name": "base", "is-enforced": true })).await;
        let first = push(&app, &team, &group, good()).await.id();
        let failing = "package terraform\n\nimport rego.v1\n\ntest_it if count(deny) == 0\n";
        let name = manifest("never");
        let tests = archive(&[("scalr-policy.hcl", &name), ("never.rego", NEVER),
            ("never_test.rego", failing)]);
        let second = push(&app, &team, &group, tests).await;
        assert_eq!(second.attribute("status"), "failing-tests", "{}", second.text());
        assert_eq!(second.attribute("tests")[0]["tests"][0]["outcome"], "failed");
        assert_eq!(second.attribute("failed-test-count"), 1);
        let shown = read(&app, &team, &group).await;
        assert_eq!(shown.attribute("status"), "errored");
        let message = shown.attribute("error-message").as_str().unwrap().to_owned();
        assert!(message.contains("1 test fails: never_test.rego:5"), "{message}");
        assert_eq!(shown.data()["relationships"]["revision-in-force"]["data"]["id"], first.as_str());
        let third = push(&app, &team, &group, archive(&[("never.rego", NEVER)])).await;
        assert_eq!(third.attribute("status"), "errored");
        let message = third.attribute("error-message").as_str().unwrap().to_owned();
        assert!(message.contains("no manifest"), "{message}");
        let hostile = archive(&[("scalr-policy.hcl", "\u{0}")]);
        let (_, answer) = upload(&app, &team, &group, hostile[..20].to_vec()).await;
        assert_eq!(answer.expect(422).code(), "policies.bad-archive");
        assert_eq!(read(&app, &team, &group).await.attribute("status"), "errored");
        assert_eq!(in_force(&app, &team).await, ["base"]);
        let mended = push(&app, &team, &group, good()).await;
        assert_eq!(mended.attribute("status"), "good");
        let shown = read(&app, &team, &group).await;
        assert_eq!(shown.attribute("status"), "active");
        assert_eq!(shown.attribute("error-message"), Value::Null);
        let list = app.get(format!("/api/v2/policy-groups/{group}/revisions"))
            .by(&team.reader).await.expect(200);
        assert_eq!(list.each("status"), ["good", "errored", "errored", "failing-tests", "good"]);
    }

    async fn one_broken_policy_is_its_own_error(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group = create(&app, &team, json!({ "name": "base", "is-enforced": true })).await;
        let both = format!("{}{}", manifest("never"), manifest("broken").replace("version = \"v1\"\n", ""));
        let files = archive(&[("terrane-policy.hcl", &both), ("never.rego", NEVER),
            ("broken.rego", "package terraform\n\ndeny contains \"x\" if {\n")]);
        let checked = push(&app, &team, &group, files).await;
        assert_eq!(checked.attribute("status"), "good", "{}", checked.text());
        assert_eq!(checked.attribute("policy-count"), 2);
        assert_eq!(checked.attribute("broken-policy-count"), 1);
        let problem = checked.attribute("policies")[1]["problems"][0].take();
        assert_eq!(problem["file"], "broken.rego");
        assert!(problem["line"].is_number() && problem["remedy"].is_string());
        assert_eq!(in_force(&app, &team).await, ["base"]);
    }

    async fn a_group_lies_in_a_folder_and_shares_functions(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group = create(&app, &team, json!({
            "name": "base", "is-enforced": true, "path": "/live/", "common-functions-folder": "lib",
        })).await;
        let policy = "package terraform\n\nimport rego.v1\nimport data.lib.words\n\n\
            deny contains words.no if true\n";
        let name = manifest("never");
        let files = archive(&[("live/scalr-policy.hcl", &name), ("live/never.rego", policy),
            ("lib/words.rego", "package lib.words\n\nno := \"no\"\n"), ("README.md", "hello")]);
        let checked = push(&app, &team, &group, files).await;
        assert_eq!(checked.attribute("status"), "good", "{}", checked.text());
        assert_eq!(checked.attribute("broken-policy-count"), 0, "{}", checked.text());
        assert_eq!(checked.attribute("policies")[0]["files"], json!(["lib/words.rego", "never.rego"]));
        // Another folder is another revision of the same files.
        change(&app, &team, &group, json!({ "path": "elsewhere" })).await.expect(200);
        policies::check_waiting(&app).await.unwrap();
        assert_eq!(read(&app, &team, &group).await.attribute("status"), "errored");
        assert_eq!(source(&app, &team, "base").await.files.len(), 2, "as it was checked");
    }

    async fn groups_hold_where_they_are_bound(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let other = app.environment(&team.account, "elsewhere").await;
        let group = create(&app, &team, json!({ "name": "base" })).await;
        push(&app, &team, &group, good()).await;
        assert!(in_force(&app, &team).await.is_empty());
        let path = format!("/api/v2/policy-groups/{group}/relationships/environments");
        let here = team.environment.id.as_str();
        app.post(&path).by(&team.admin).json(&linkage("environments", &[other.id.as_str()])).await
            .expect(204);
        assert!(in_force(&app, &team).await.is_empty());
        app.post(&path).by(&team.admin).json(&linkage("environments", &[here])).await.expect(204);
        assert_eq!(in_force(&app, &team).await, ["base"]);
        let linked = app.delete(format!("/api/v2/policy-groups/{group}")).by(&team.admin).await;
        assert_eq!(linked.expect(409).code(), "policies.linked");
        app.delete(&path).by(&team.admin).json(&linkage("environments", &[here])).await.expect(204);
        assert!(in_force(&app, &team).await.is_empty());
        app.patch(&path).by(&team.admin).json(&linkage("environments", &[])).await.expect(204);
        app.delete(format!("/api/v2/policy-groups/{group}")).by(&team.admin).await.expect(204);
        let nowhere = create(&app, &team, json!({ "name": "again" })).await;
        let unknown = app.post(format!("/api/v2/policy-groups/{nowhere}/relationships/environments"))
            .by(&team.admin).json(&linkage("environments", &["env-unknown"])).await.expect(422);
        assert_eq!(unknown.pointer(), "/data/relationships/environments");
    }

    async fn a_stage_is_asked_apart(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group = create(&app, &team, json!({
            "name": "base", "is-enforced": true, "execute-as": "pre_plan_check",
        })).await;
        push(&app, &team, &group, good()).await;
        assert!(in_force(&app, &team).await.is_empty());
        let mut conn = app.db.acquire().await.unwrap();
        let found = policies::in_force(&mut conn, &team.tenant, &team.workspace, PolicyStage::PrePlan);
        assert_eq!(found.await.unwrap().len(), 1);
    }

    async fn settings_without_effect_are_refused(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        for (attributes, pointer) in [
            (json!({ "name": "a b" }), "/data/attributes/name"),
            (json!({ "name": "a", "kind": "sentinel" }), "/data/attributes/kind"),
            (json!({ "name": "a", "dialect": "v2" }), "/data/attributes/dialect"),
            (json!({ "name": "a", "opa-version": "two" }), "/data/attributes/opa-version"),
            (json!({ "name": "a", "execute-as": "later" }), "/data/attributes/execute-as"),
            (json!({ "name": "a", "path": "../x" }), "/data/attributes/path"),
            (json!({ "name": "a", "overridable": true }), "/data/attributes/overridable"),
            (json!({ "name": "a", "vcs-repo": { "identifier": "a/b" } }), "/data/attributes/vcs-repo"),
        ] {
            let answer = app.post("/api/v2/policy-groups").by(&team.admin)
                .attributes("policy-groups", attributes).await.expect(422);
            assert_eq!(answer.pointer(), pointer);
        }
        create(&app, &team, json!({ "name": "a" })).await;
        let again = app.post("/api/v2/policy-groups").by(&team.admin)
            .attributes("policy-groups", json!({ "name": "a" })).await.expect(422);
        assert_eq!(again.code(), "policies.name-taken");
    }

    async fn a_resync_checks_again(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group = create(&app, &team, json!({ "name": "base" })).await;
        let path = format!("/api/v2/policy-groups/{group}/actions/resync");
        assert_eq!(app.post(&path).by(&team.admin).await.expect(409).code(), "policies.no-files");
        let first = push(&app, &team, &group, good()).await.id();
        let synced = app.post(&path).by(&team.admin).await.expect(200);
        assert_eq!(synced.attribute("status"), "fetching");
        policies::check_waiting(&app).await.unwrap();
        let shown = read(&app, &team, &group).await;
        assert_eq!(shown.attribute("status"), "active");
        assert_ne!(shown.data()["relationships"]["revision-in-force"]["data"]["id"], first.as_str());
    }

    async fn an_archive_comes_once(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group = create(&app, &team, json!({ "name": "base" })).await;
        let made = app.post(format!("/api/v2/policy-groups/{group}/revisions"))
            .by(&team.admin).await.expect(201);
        let url = made.attribute("upload-url");
        let path = url.as_str().unwrap().trim_start_matches("https://terrane.test");
        app.put(path).body("application/octet-stream", good()).await.expect(200);
        let again = app.put(path).body("application/octet-stream", good()).await;
        assert_eq!(again.expect(409).code(), "policies.already-uploaded");
    }
}

async fn source(app: &TestApp, team: &Team, name: &str) -> ::policy::GroupSource {
    let mut conn = app.db.acquire().await.unwrap();
    let stage = PolicyStage::PostPlan;
    let found = policies::in_force(&mut conn, &team.tenant, &team.workspace, stage).await;
    let found = found.unwrap();
    let group = found.iter().find(|it| it.name == name).unwrap();
    policies::source_of(app, &team.tenant, &group.revision_id)
        .await
        .unwrap()
}
