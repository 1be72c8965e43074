//! Attributes that would have no effect.

use db::Db;
use serde_json::json;

use crate::testing::TestApp;

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn what_would_have_no_effect_is_refused_by_name(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let workspace = format!("/api/v2/workspaces/{}", team.workspace.id);
        for (name, value) in [
            ("assessments-enabled", json!(true)),
            ("trigger-patterns", json!(["**/*.tf"])),
            ("trigger-prefixes", json!(["modules"])),
            ("auto-apply-run-trigger", json!(true)),
            ("project-remote-state", json!(true)),
            ("auto-destroy-at", json!("2040-01-01T00:00:00Z")),
            ("vcs-repo", json!({ "identifier": "a/b" })),
        ] {
            let refused = app.patch(&workspace).by(&team.admin)
                .attributes("workspaces", json!({ name: value })).await.expect(422);
            assert_eq!(refused.pointer(), format!("/data/attributes/{name}"));
        }
        // What client libraries send along with everything stays welcome.
        app.patch(&workspace).by(&team.admin).attributes("workspaces", json!({
            "assessments-enabled": false, "file-triggers-enabled": true, "trigger-prefixes": [],
            "auto-destroy-at": null, "vcs-repo": null, "project-remote-state": false,
            "migration-environment": "", "unheard-of": null,
        })).await.expect(200);
        for (name, value) in [
            ("policy-paths", json!(["policies"])),
            ("debugging-mode", json!(true)),
            ("invoke-action-addrs", json!(["action.a.b"])),
        ] {
            let body = json!({ "data": { "type": "runs", "attributes": { name: value },
                "relationships": { "workspace": { "data": {
                    "type": "workspaces", "id": team.workspace.id.as_str() } } } } });
            let refused = app.post("/api/v2/runs").by(&team.admin).json(&body).await.expect(422);
            assert_eq!(refused.pointer(), format!("/data/attributes/{name}"));
        }
    }
}
