//! What a run sees of another workspace's state.

use db::Db;
use domain::workspace::ExecutionMode;
use serde_json::json;
use testkit::both_databases;

use super::{current, hold, push, setup, state, url, workspace_path};
use crate::schema::MIGRATOR;
use crate::testing::{Team, TestApp, TestRun};

/// A run of another workspace of the same environment.
async fn consumer(app: &TestApp, team: &Team) -> TestRun {
    let workspace = app.workspace(&team.environment, "consumer").await;
    app.run_in_progress(&workspace).await
}

async fn share(app: &TestApp, team: &Team, on: bool) {
    app.patch(format!("/api/v2/workspaces/{}", team.workspace.id))
        .by(&team.admin)
        .attributes("workspaces", json!({ "global-remote-state": on }))
        .await
        .expect(200);
}

both_databases! { MIGRATOR;
    async fn a_consumer_sees_the_outputs_only(db: Db) {
        let (app, team) = setup(db).await;
        let old = push(&app, &team, 1, "l", "old").await;
        let new = push(&app, &team, 2, "l", "new").await;
        let run = consumer(&app, &team).await;
        let by_name = format!("/api/v2/organizations/{}/workspaces/{}",
            team.environment.name, team.workspace.name);
        for path in [by_name.clone(), workspace_path(&team, "current-state-version")] {
            app.get(path).by(&run).await.expect(404);
        }

        share(&app, &team, true).await;
        app.get(by_name).by(&run).await.expect(200);
        let seen = app.get(workspace_path(&team, "current-state-version")).by(&run).await.expect(200);
        assert_eq!(seen.id(), new.to_string());
        assert_eq!(seen.attribute("resources"), json!([]));
        assert_eq!((seen.attribute("size"), seen.attribute("md5")), (json!(null), json!(null)));
        let raw = app.get(url(&seen, "hosted-state-download-url")).by(&run).await.expect(200);
        let reduced: serde_json::Value = serde_json::from_slice(&raw.body).unwrap();
        assert_eq!(reduced["outputs"]["key"]["value"], "hidden-new");
        assert_eq!(reduced["resources"], json!([]));
        assert_eq!((&reduced["serial"], &reduced["lineage"]), (&json!(2), &json!("l")));
        let outputs =
            app.get(workspace_path(&team, "current-state-version-outputs")).by(&run).await;
        let secret = outputs.expect(200).data()[1]["id"].as_str().unwrap().to_owned();
        let read = app.get(format!("/api/v2/state-version-outputs/{secret}")).by(&run).await;
        assert_eq!(read.expect(200).attribute("value"), "hidden-new");

        // Nothing older, nothing else, and no writing.
        for path in [
            format!("/api/v2/state-versions/{old}"),
            format!("/api/v2/state-versions/{old}/download"),
            format!("/api/v2/state-versions/{new}/json-download"),
            workspace_path(&team, "quarantined-states"),
            workspace_path(&team, "vars"),
        ] {
            app.get(&path).by(&run).await.expect(404);
        }
        app.post(workspace_path(&team, "state-versions")).by(&run)
            .attributes("state-versions", json!({})).await.expect(404);

        share(&app, &team, false).await;
        app.get(workspace_path(&team, "current-state-version")).by(&run).await.expect(404);
    }

    async fn sharing_ends_at_the_environment(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 1, "l", "a").await;
        share(&app, &team, true).await;
        let elsewhere = app.environment(&team.account, "elsewhere").await;
        let workspace = app.workspace(&elsewhere, "consumer").await;
        let run = app.run_in_progress(&workspace).await;
        app.get(workspace_path(&team, "current-state-version")).by(&run).await.expect(404);
        let foreign = app.team().await;
        let run = app.run_in_progress(&foreign.workspace).await;
        app.get(workspace_path(&team, "current-state-version")).by(&run).await.expect(404);
    }

    async fn a_run_reads_and_writes_the_state_of_its_own_workspace(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 1, "l", "a").await;
        let run = app.run_in_progress(&team.workspace).await;
        hold(&app, &team.workspace.id, &run).await;
        let seen = app.get(workspace_path(&team, "current-state-version")).by(&run).await.expect(200);
        let raw = app.get(url(&seen, "hosted-state-download-url")).by(&run).await.expect(200);
        assert_eq!(raw.text(), state(1, "l", "a"));
        let content = state(2, "l", "b");
        let made = app.post(workspace_path(&team, "state-versions")).by(&run)
            .attributes("state-versions", super::announcement(&content, 2, "l"))
            .await.expect(201);
        super::upload(&app, &url(&made, "hosted-state-upload-url"), &content).await.expect(200);
        let now = current(&app, &team).await.expect(200);
        assert_eq!(now.data()["relationships"]["run"]["data"]["id"], run.id.to_string());
        assert_eq!(now.data()["relationships"]["created-by"]["data"], json!(null));
        assert_eq!(ExecutionMode::Remote.as_str(), "remote");
    }
}
