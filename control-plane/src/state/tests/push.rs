//! States from outside runs: announced and uploaded, or inline.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use db::Db;
use domain::access::Role;
use serde_json::json;
use testkit::both_databases;

use super::{
    announce, announcement, create, current, inline, lock, md5_of, push, setup, state, unlock,
    upload, url, version, workspace_path,
};
use crate::schema::MIGRATOR;
use crate::state::discard_expired;
use crate::testing::TestApp;

both_databases! { MIGRATOR;
    async fn an_uploaded_state_becomes_the_current_one(db: Db) {
        let (app, team) = setup(db).await;
        current(&app, &team).await.expect(404);
        let content = state(3, "l", "a");
        let announced = announce(&app, &team, &content, 3, "l").await.expect(201);
        assert_eq!(announced.attribute("status"), "pending");
        assert_eq!(announced.headers["x-terraform-snapshot-interval"], "20");
        current(&app, &team).await.expect(404);
        let path = format!("/api/v2/state-versions/{}", announced.id());
        let read = app.get(&path).by(&team.admin).await.expect(200);
        assert!(read.attribute("hosted-state-upload-url").is_string());
        let read = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(read.attribute("hosted-state-upload-url"), json!(null), "not a reader's");
        let waiting = unlock(&app, &team, &team.admin).await.expect(422);
        assert!(waiting.text().contains("latest state version is still pending"));

        // The JSON form may come first; the raw one alone decides.
        upload(&app, &url(&announced, "hosted-json-state-upload-url"), "{}").await.expect(200);
        current(&app, &team).await.expect(404);
        upload(&app, &url(&announced, "hosted-state-upload-url"), &content).await.expect(200);

        let now = current(&app, &team).await.expect(200);
        assert_eq!(now.headers["x-terraform-snapshot-interval"], "20");
        assert_eq!(now.id(), announced.id());
        for (name, value) in [
            ("status", json!("finalized")), ("serial", json!(3)), ("lineage", json!("l")),
            ("md5", json!(md5_of(&content))), ("size", json!(content.len())),
            ("terraform-version", json!("1.11.4")), ("state-version", json!(4)),
            ("resources-processed", json!(true)), ("intermediate", json!(false)),
            ("hosted-state-upload-url", json!(null)), ("vcs-commit-sha", json!(null)),
        ] {
            assert_eq!(now.attribute(name), value, "{name}");
        }
        assert_eq!(now.attribute("modules")["root"]["null-resource"], 2);
        assert_eq!(now.attribute("modules")["module.net"]["data.http"], 1);
        assert_eq!(now.attribute("resources")[0]["count"], 2);
        let relationships = &now.data()["relationships"];
        assert_eq!(relationships["created-by"]["data"]["id"], team.admin.id.to_string());
        assert_eq!(relationships["workspace"]["data"]["id"], team.workspace.id.to_string());
        assert_eq!(relationships["run"]["data"], json!(null));
        assert_eq!(relationships["outputs"]["data"].as_array().unwrap().len(), 3);

        let workspace = app.get(workspace_path(&team, "").trim_end_matches('/'))
            .by(&team.admin).await.expect(200);
        assert_eq!(workspace.attribute("resource-count"), 2, "data sources don't count");
        assert_eq!(
            workspace.data()["relationships"]["current-state-version"]["data"]["id"],
            announced.id()
        );
        let raw = app.get(url(&now, "hosted-state-download-url")).by(&team.admin).await.expect(200);
        assert_eq!(raw.text(), content);
        let json_form =
            app.get(url(&now, "hosted-json-state-download-url")).by(&team.admin).await;
        assert_eq!(json_form.expect(200).text(), "{}");
        unlock(&app, &team, &team.admin).await.expect(200);
        assert_eq!(app.audited(&team.tenant, "state-version.announce").await, 1);
        assert_eq!(app.audited(&team.tenant, "state-version.create").await, 1);
    }

    async fn the_json_form_may_come_late_and_once(db: Db) {
        let (app, team) = setup(db).await;
        let content = state(1, "l", "a");
        let announced = announce(&app, &team, &content, 1, "l").await.expect(201);
        let json_url = url(&announced, "hosted-json-state-upload-url");
        upload(&app, &url(&announced, "hosted-state-upload-url"), &content).await.expect(200);
        upload(&app, &json_url, r#"{"a":1}"#).await.expect(200);
        upload(&app, &json_url, r#"{"a":1}"#).await.expect(200);
        let refused = upload(&app, &json_url, r#"{"a":2}"#).await.expect(409);
        assert_eq!(refused.code(), "state.upload-closed");
    }

    async fn an_upload_is_taken_once(db: Db) {
        let (app, team) = setup(db).await;
        let content = state(1, "l", "a");
        let announced = announce(&app, &team, &content, 1, "l").await.expect(201);
        let path = url(&announced, "hosted-state-upload-url");
        upload(&app, &path, &content).await.expect(200);
        // A client whose answer got lost sends the same once more.
        upload(&app, &path, &content).await.expect(200);
        for other in [state(1, "l", "b"), format!("{content} "), String::new()] {
            let refused = upload(&app, &path, &other).await.expect(409);
            assert_eq!(refused.code(), "state.upload-closed");
        }
        let raw = app.get(format!("/api/v2/state-versions/{}/download", announced.id()))
            .by(&team.admin).await.expect(200);
        assert_eq!(raw.text(), content);
    }

    async fn wrong_bytes_end_the_announcement(db: Db) {
        let (app, team) = setup(db).await;
        let content = state(1, "l", "a");
        for (sent, told, code) in [
            (content.replace("10.0.0.1", "10.0.0.2"), content.clone(), "state.wrong-md5"),
            ("garbage".to_owned(), "garbage".to_owned(), "state.unreadable"),
            (content[..content.len() - 9].to_owned(), content[..content.len() - 9].to_owned(),
                "state.unreadable"),
            (String::new(), String::new(), "state.unreadable"),
            ("{}".to_owned(), "{}".to_owned(), "state.unreadable"),
            (state(2, "l", "a"), state(2, "l", "a"), "state.not-as-announced"),
            (state(1, "m", "a"), state(1, "m", "a"), "state.not-as-announced"),
        ] {
            let announced = announce(&app, &team, &told, 1, "l").await.expect(201);
            let path = url(&announced, "hosted-state-upload-url");
            let refused = upload(&app, &path, &sent).await.expect(422);
            assert_eq!(refused.code(), code, "{}", refused.text());
            let read = version(&app, &team, &announced.id()).await.expect(200);
            assert_eq!(read.attribute("status"), "discarded");
            assert_eq!(upload(&app, &path, &content).await.expect(409).code(), "state.upload-closed");
            unlock(&app, &team, &team.admin).await.expect(200);
            lock(&app, &team, &team.admin).await.expect(200);
        }
        current(&app, &team).await.expect(404);
    }

    async fn an_oversized_state_is_refused(db: Db) {
        let app = TestApp::with_limits(db, |limits| limits.state = 10_000);
        let team = app.team().await;
        lock(&app, &team, &team.admin).await.expect(200);
        let content = state(1, "l", &"x".repeat(20_000));
        let announced = announce(&app, &team, &content, 1, "l").await.expect(201);
        let path = url(&announced, "hosted-state-upload-url");
        let refused = upload(&app, &path, &content).await.expect(413);
        assert_eq!(refused.code(), "objects.too-large");
        assert_eq!(inline(&app, &team, &content).await.expect(413).code(), "objects.too-large");
        unlock(&app, &team, &team.admin).await.expect(200);
    }

    async fn a_foreign_signature_is_worth_nothing(db: Db) {
        let (app, team) = setup(db).await;
        let (one, two) = (state(1, "l", "a"), state(2, "l", "b"));
        let first = announce(&app, &team, &one, 1, "l").await.expect(201);
        let second = announce(&app, &team, &two, 2, "l").await.expect(201);
        let path = url(&second, "hosted-state-upload-url");
        let forged = path.replace(&second.id(), &first.id());
        upload(&app, &forged, &one).await.expect(404);
        // The JSON form's URL does not take the raw state, nor the other way round.
        let json_path = url(&second, "hosted-json-state-upload-url");
        let swapped = json_path.replace("/json-state-upload/", "/state-upload/");
        upload(&app, &swapped, &two).await.expect(404);
        upload(&app, &path, &two).await.expect(200);
    }

    async fn an_announcement_runs_out(db: Db) {
        let app = TestApp::at(db, "2026-01-01T00:00:00Z");
        let team = app.team().await;
        lock(&app, &team, &team.admin).await.expect(200);
        let content = state(1, "l", "a");
        let announced = announce(&app, &team, &content, 1, "l").await.expect(201);
        assert_eq!(discard_expired(&app).await.unwrap(), 0);
        app.advance(TimeDelta::minutes(61));
        upload(&app, &url(&announced, "hosted-state-upload-url"), &content).await.expect(404);
        assert_eq!(discard_expired(&app).await.unwrap(), 1);
        unlock(&app, &team, &team.admin).await.expect(200);
    }

    async fn a_failed_upload_of_an_earlier_lock_keeps_nobody_waiting(db: Db) {
        let app = TestApp::at(db, "2026-01-01T00:00:00Z");
        let team = app.team().await;
        lock(&app, &team, &team.admin).await.expect(200);
        announce(&app, &team, &state(1, "l", "a"), 1, "l").await.expect(201);
        app.advance(TimeDelta::seconds(1));
        app.post(workspace_path(&team, "actions/force-unlock")).by(&team.admin).await.expect(200);
        lock(&app, &team, &team.admin).await.expect(200);
        unlock(&app, &team, &team.admin).await.expect(200);
    }

    async fn only_the_holder_writes(db: Db) {
        let (app, team) = setup(db).await;
        let content = state(1, "l", "a");
        let other = app.user(&team.account, Role::Admin).await;
        let attributes = announcement(&content, 1, "l");
        let refused = create(&app, &team, &other, attributes.clone()).await.expect(409);
        assert_eq!(refused.code(), "state.workspace-held-by-other");
        create(&app, &team, &team.reader, attributes.clone()).await.expect(403);
        unlock(&app, &team, &team.admin).await.expect(200);
        let refused = create(&app, &team, &team.admin, attributes.clone()).await.expect(409);
        assert_eq!(refused.code(), "state.workspace-not-locked");
        let run = app.run_in_progress(&team.workspace).await;
        app.post(workspace_path(&team, "state-versions")).by(&run)
            .attributes("state-versions", attributes).await.expect(409);
    }

    async fn what_came_too_late_is_kept_in_quarantine(db: Db) {
        let (app, team) = setup(db).await;
        let content = state(1, "l", "late");
        let announced = announce(&app, &team, &content, 1, "l").await.expect(201);
        app.post(workspace_path(&team, "actions/force-unlock")).by(&team.admin).await.expect(200);
        let path = url(&announced, "hosted-state-upload-url");
        let refused = upload(&app, &path, &content).await.expect(409);
        assert_eq!(refused.code(), "state.quarantined");
        current(&app, &team).await.expect(404);
        let kept = app.get(workspace_path(&team, "quarantined-states")).by(&team.admin).await;
        assert_eq!(kept.data()[0]["id"], announced.id());
        assert!(kept.each("quarantine-reason")[0].contains("not locked"));
        let raw = app.get(format!("/api/v2/state-versions/{}/download", announced.id()))
            .by(&team.admin).await.expect(200);
        assert_eq!(raw.text(), content);
    }

    async fn serial_and_lineage_decide(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 5, "l", "a").await;
        for (serial, lineage, mark, code) in [
            (4, "l", "b", "state.older-serial"),
            (5, "l", "b", "state.serial-taken"),
            (6, "m", "b", "state.other-lineage"),
        ] {
            let content = state(serial, lineage, mark);
            let refused = announce(&app, &team, &content, serial, lineage).await.expect(409);
            assert_eq!(refused.code(), code);
            assert_eq!(inline(&app, &team, &content).await.expect(409).code(), code);
        }
        // Gaps are normal.
        push(&app, &team, 60, "l", "c").await;
        // By force, any state goes.
        let content = state(2, "m", "d");
        let mut attributes = announcement(&content, 2, "m");
        attributes["force"] = json!(true);
        let announced = create(&app, &team, &team.admin, attributes).await.expect(201);
        upload(&app, &url(&announced, "hosted-state-upload-url"), &content).await.expect(200);
        let now = current(&app, &team).await.expect(200);
        assert_eq!((now.attribute("serial"), now.attribute("lineage")), (json!(2), json!("m")));
    }

    async fn the_same_state_twice_is_one_version(db: Db) {
        let (app, team) = setup(db).await;
        let content = state(5, "l", "a");
        let first = announce(&app, &team, &content, 5, "l").await.expect(201);
        let again = announce(&app, &team, &content, 5, "l").await.expect(201);
        assert_eq!(again.id(), first.id(), "the answer may have been lost");
        upload(&app, &url(&first, "hosted-state-upload-url"), &content).await.expect(200);
        let third = announce(&app, &team, &content, 5, "l").await.expect(201);
        assert_eq!(third.id(), first.id());
        upload(&app, &url(&third, "hosted-state-upload-url"), &content).await.expect(200);
        assert_eq!(inline(&app, &team, &content).await.expect(201).id(), first.id());
    }

    async fn a_newer_announcement_takes_the_place_of_an_older(db: Db) {
        let (app, team) = setup(db).await;
        let (one, two) = (state(1, "l", "a"), state(2, "l", "b"));
        let first = announce(&app, &team, &one, 1, "l").await.expect(201);
        let second = announce(&app, &team, &two, 2, "l").await.expect(201);
        let refused = upload(&app, &url(&first, "hosted-state-upload-url"), &one).await;
        assert_eq!(refused.expect(409).code(), "state.upload-closed");
        upload(&app, &url(&second, "hosted-state-upload-url"), &two).await.expect(200);
        unlock(&app, &team, &team.admin).await.expect(200);
    }

    async fn a_state_may_come_inline(db: Db) {
        let (app, team) = setup(db).await;
        let content = state(7, "l", "a");
        let made = create(&app, &team, &team.admin, json!({
            "serial": 7, "md5": md5_of(&content), "lineage": "l",
            "json-state": STANDARD.encode("{}"), "json-state-outputs": STANDARD.encode("{}"),
            "state": STANDARD.encode(&content),
        })).await.expect(201);
        assert_eq!(made.attribute("status"), "finalized");
        assert_eq!(made.attribute("serial"), 7);
        assert_eq!(made.headers["x-terraform-snapshot-interval"], "20");
        assert_eq!(current(&app, &team).await.expect(200).id(), made.id());
        let json_form =
            app.get(url(&made, "hosted-json-state-download-url")).by(&team.admin).await;
        assert_eq!(json_form.expect(200).text(), "{}");
        unlock(&app, &team, &team.admin).await.expect(200);
    }

    async fn a_wrong_body_is_named(db: Db) {
        let (app, team) = setup(db).await;
        let content = STANDARD.encode(state(1, "l", "a"));
        for (attributes, status, code) in [
            (json!({}), 422, "state.invalid"),
            (json!({ "serial": 1 }), 422, "state.invalid"),
            (json!({ "serial": -1, "md5": md5_of("") }), 422, "state.invalid"),
            (json!({ "serial": 1, "md5": "zz" }), 422, "state.invalid"),
            (json!({ "serial": "1", "md5": md5_of("") }), 422, "state.invalid"),
            (json!({ "state": "%%%" }), 422, "state.invalid"),
            (json!({ "state": STANDARD.encode("garbage") }), 422, "state.unreadable"),
            (json!({ "state": content, "md5": md5_of("other") }), 422, "state.wrong-md5"),
            (json!({ "state": content, "serial": 2 }), 422, "state.not-as-announced"),
            (json!({ "state": content, "lineage": "m" }), 422, "state.not-as-announced"),
        ] {
            let refused = create(&app, &team, &team.admin, attributes.clone()).await;
            assert_eq!((refused.status.as_u16(), refused.code().as_str()), (status, code),
                "{attributes}: {}", refused.text());
        }
        for garbage in ["", "\u{0}\u{1}", "[]", r#"{"data":{"attributes":{"serial":1}"#] {
            let refused = app.post(workspace_path(&team, "state-versions")).by(&team.admin)
                .body("application/vnd.api+json", garbage).await;
            assert!(matches!(refused.status.as_u16(), 400 | 422), "{garbage}: {}", refused.text());
        }
        current(&app, &team).await.expect(404);
    }

    async fn a_run_is_named_only_if_it_is_the_workspaces(db: Db) {
        let (app, team) = setup(db).await;
        let run = app.run_in_progress(&team.workspace).await;
        let elsewhere = app.workspace(&team.environment, "elsewhere").await;
        let foreign = app.run_in_progress(&elsewhere).await;
        let content = state(1, "l", "a");
        let with_run = |id: String| json!({ "data": {
            "type": "state-versions", "attributes": announcement(&content, 1, "l"),
            "relationships": { "run": { "data": { "type": "runs", "id": id } } },
        }});
        let path = workspace_path(&team, "state-versions");
        let refused =
            app.post(&path).by(&team.admin).json(&with_run(foreign.id.to_string())).await;
        assert_eq!(refused.expect(422).pointer(), "/data/relationships/run");
        let made = app.post(&path).by(&team.admin).json(&with_run(run.id.to_string())).await;
        let relationships = made.expect(201).data()["relationships"].take();
        assert_eq!(relationships["run"]["data"]["id"], run.id.to_string());
    }

    async fn a_whole_state_that_can_not_be_indexed_is_kept(db: Db) {
        let (app, team) = setup(db).await;
        let content = state(1, "l", "a").replace("managed", "a-mode-of-tomorrow");
        inline(&app, &team, &content).await.expect(201);
        let now = current(&app, &team).await.expect(200);
        assert_eq!((now.attribute("serial"), now.attribute("resources")), (json!(1), json!([])));
        push(&app, &team, 2, "l", "b").await;
        assert_eq!(current(&app, &team).await.attribute("resources")[0]["count"], 2);
    }

    async fn an_encrypted_state_is_kept_as_it_is(db: Db) {
        let (app, team) = setup(db).await;
        let content = json!({ "serial": 3, "lineage": "l", "meta": {}, "encrypted_data": "AAAA",
            "encryption_version": "v0" }).to_string();
        let mut attributes = announcement(&content, 3, "l");
        let outputs = json!({ "ip": { "value": "10.0.0.1", "type": "string", "sensitive": false } });
        attributes["json-state-outputs"] = json!(STANDARD.encode(outputs.to_string()));
        let announced = create(&app, &team, &team.admin, attributes).await.expect(201);
        upload(&app, &url(&announced, "hosted-state-upload-url"), &content).await.expect(200);
        let now = current(&app, &team).await.expect(200);
        assert_eq!(now.attribute("encrypted-by-client"), true);
        assert_eq!(now.attribute("serial"), 3);
        let outputs =
            app.get(workspace_path(&team, "current-state-version-outputs")).by(&team.admin).await;
        assert_eq!(outputs.expect(200).data()[0]["attributes"]["value"], "10.0.0.1");
        // Nobody knows whether it manages something: a safe delete must not guess.
        unlock(&app, &team, &team.admin).await.expect(200);
        app.post(workspace_path(&team, "actions/safe-delete")).by(&team.admin).await.expect(409);
    }
}
