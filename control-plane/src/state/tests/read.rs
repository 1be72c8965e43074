//! Lists, outputs, downloads, and who may see what.

use db::Db;
use http::header;
use serde_json::{Value, json};
use testkit::both_databases;

use super::{current, push, setup, state, url, version, workspace_path};
use crate::schema::MIGRATOR;
use crate::testing::{Answer, Team, TestApp};

async fn list(app: &TestApp, team: &Team, more: &str) -> Answer {
    app.get(format!(
        "/api/v2/state-versions?filter%5Borganization%5D%5Bname%5D={}&filter%5Bworkspace%5D%5Bname%5D={}&{more}",
        team.environment.name, team.workspace.name
    ))
    .by(&team.admin)
    .await
}

both_databases! { MIGRATOR;
    async fn versions_are_listed_newest_first(db: Db) {
        let (app, team) = setup(db).await;
        let mut ids = Vec::new();
        for serial in 1..=5 {
            ids.push(push(&app, &team, serial, "l", &serial.to_string()).await.to_string());
        }
        ids.reverse();
        let first = list(&app, &team, "page[size]=2").await.expect(200).json();
        let second = list(&app, &team, "page[size]=2&page[number]=2").await.expect(200).json();
        let third = list(&app, &team, "page[size]=2&page[number]=3").await.expect(200).json();
        let listed: Vec<String> = [&first, &second, &third]
            .into_iter()
            .flat_map(|page| page["data"].as_array().unwrap())
            .map(|it| it["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(listed, ids);
        assert_eq!(first["meta"]["pagination"]["total-count"], 5);
        assert_eq!(first["data"][0]["relationships"]["outputs"]["data"].as_array().unwrap().len(), 3);
        for missing in ["", "?filter%5Borganization%5D%5Bname%5D=x"] {
            let refused = app.get(format!("/api/v2/state-versions{missing}")).by(&team.admin).await;
            assert_eq!(refused.expect(400).code(), "request.bad-parameter");
        }
        list(&app, &team, "filter[status]=none").await.expect(400);
        assert_eq!(list(&app, &team, "filter[status]=pending").await.json()["data"], json!([]));
    }

    async fn sensitive_outputs_are_read_one_by_one(db: Db) {
        let (app, team) = setup(db).await;
        let id = push(&app, &team, 1, "l", "a").await;
        let path = format!("/api/v2/state-versions/{id}/outputs");
        let of_version = app.get(&path).by(&team.admin).await.expect(200);
        let of_current =
            app.get(workspace_path(&team, "current-state-version-outputs")).by(&team.reader).await;
        assert_eq!(of_version.data(), of_current.expect(200).data());
        assert_eq!(of_version.json()["meta"]["pagination"]["total-count"], 3);
        assert_eq!(of_version.each("name"), ["ip", "key", "ports"]);
        let data = of_version.data();
        let values: Vec<&Value> =
            data.as_array().unwrap().iter().map(|it| &it["attributes"]["value"]).collect();
        assert_eq!(values, [&json!("10.0.0.1"), &json!(null), &json!([80, 443])]);
        assert_eq!(data[1]["attributes"]["detailed-type"], "string");
        assert_eq!(data[2]["attributes"]["detailed-type"], json!(["tuple", ["number", "number"]]));
        assert_eq!(data[2]["attributes"]["type"], "array");

        let secret = format!("/api/v2/state-version-outputs/{}", data[1]["id"].as_str().unwrap());
        let read = app.get(&secret).by(&team.admin).await.expect(200);
        assert_eq!(read.attribute("value"), "hidden-a");
        let hidden = app.get(&secret).by(&team.reader).await.expect(200);
        assert_eq!(hidden.attribute("value"), json!(null), "a reader sees no secret");
        let plain = format!("/api/v2/state-version-outputs/{}", data[0]["id"].as_str().unwrap());
        let read = app.get(&plain).by(&team.reader).await.expect(200);
        assert_eq!(read.attribute("value"), "10.0.0.1");
        app.get("/api/v2/state-version-outputs/wsout-nonexisting").by(&team.admin).await.expect(404);
    }

    async fn outputs_are_included_when_asked_for(db: Db) {
        let (app, team) = setup(db).await;
        let id = push(&app, &team, 1, "l", "a").await;
        let bare = version(&app, &team, &id).await.expect(200).json();
        assert!(bare.get("included").is_none());
        for path in [
            format!("/api/v2/state-versions/{id}?include=outputs"),
            workspace_path(&team, "current-state-version?include=outputs,run"),
        ] {
            let full = app.get(path).by(&team.admin).await.expect(200).json();
            let included = full["included"].as_array().unwrap();
            assert_eq!(included.len(), 3);
            assert_eq!(included[0]["type"], "state-version-outputs");
            assert_eq!(included[1]["attributes"]["value"], json!(null));
        }
    }

    async fn a_download_is_tagged_and_for_readers_of_states_only(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 1, "l", "a").await;
        let now = current(&app, &team).await.expect(200);
        let path = url(&now, "hosted-state-download-url");
        let raw = app.get(&path).by(&team.admin).await.expect(200);
        assert_eq!(raw.text(), state(1, "l", "a"));
        assert_eq!(raw.header(header::CONTENT_TYPE), "application/json");
        assert_eq!(raw.header(header::CONTENT_LENGTH), raw.body.len().to_string());
        let tag = raw.header(header::ETAG).to_owned();
        let same = app.get(&path).by(&team.admin).header(header::IF_NONE_MATCH, &tag).await;
        assert_eq!(same.expect(304).body.len(), 0);
        app.get(&path).by(&team.reader).await.expect(403);
        app.get(&path).await.expect(401);
        app.get(path.replace("/download", "/json-download")).by(&team.admin).await.expect(404);
    }

    async fn nothing_is_seen_from_another_account(db: Db) {
        let (app, team) = setup(db).await;
        let id = push(&app, &team, 1, "l", "a").await;
        let outputs = app.get(format!("/api/v2/state-versions/{id}/outputs")).by(&team.admin).await;
        let output = outputs.data()[0]["id"].as_str().unwrap().to_owned();
        let foreign = app.team().await;
        for path in [
            format!("/api/v2/state-versions/{id}"),
            format!("/api/v2/state-versions/{id}/download"),
            format!("/api/v2/state-versions/{id}/outputs"),
            format!("/api/v2/state-version-outputs/{output}"),
            workspace_path(&team, "current-state-version"),
            workspace_path(&team, "quarantined-states"),
        ] {
            app.get(&path).by(&foreign.admin).await.expect(404);
        }
        app.post(format!("/api/v2/state-versions/{id}/actions/promote"))
            .by(&foreign.admin).await.expect(404);
    }
}
