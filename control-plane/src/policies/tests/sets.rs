//! Policy sets and single policies, as clients of the TFE API use them.

use db::Db;
use serde_json::{Value, json};
use testkit::both_databases;

use super::*;
use crate::schema::MIGRATOR;

const REGO: &str =
    "package terraform.policies.NAME\n\nimport rego.v1\n\ndeny contains \"no\" if true\n";

async fn set(app: &TestApp, team: &Team, attributes: Value) -> Answer {
    let path = format!(
        "/api/v2/organizations/{}/policy-sets",
        team.environment.name
    );
    app.post(path)
        .by(&team.admin)
        .attributes("policy-sets", attributes)
        .await
}

async fn policy(app: &TestApp, team: &Team, name: &str) -> String {
    let path = format!("/api/v2/organizations/{}/policies", team.environment.name);
    let query = format!("data.terraform.policies.{name}.deny");
    let attributes = json!({
        "name": name, "kind": "opa", "query": query, "enforcement-level": "mandatory",
    });
    app.post(path)
        .by(&team.admin)
        .attributes("policies", attributes)
        .await
        .expect(201)
        .id()
}

async fn read_set(app: &TestApp, team: &Team, id: &str) -> Answer {
    app.get(format!("/api/v2/policy-sets/{id}"))
        .by(&team.reader)
        .await
        .expect(200)
}

both_databases! { MIGRATOR;
    async fn a_version_is_uploaded(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let made = set(&app, &team, json!({
            "name": "net", "kind": "opa", "global": true, "overridable": true,
        })).await.expect(201);
        assert_eq!(made.attribute("kind"), "opa");
        assert_eq!(made.attribute("versioned"), true);
        let organization = &made.data()["relationships"]["organization"]["data"];
        assert_eq!(organization["id"], team.environment.name);
        let versions = format!("/api/v2/policy-sets/{}/versions", made.id());
        let version = app.post(&versions).by(&team.admin).await.expect(201);
        assert_eq!(version.attribute("status"), "pending");
        let url = version.data()["links"]["upload"].as_str().unwrap().to_owned();
        let files = archive(&[("policies.hcl", "policy \"a\" {\n  query = \
            \"data.terraform.policies.a.deny\"\n  enforcement_level = \"mandatory\"\n}\n"),
            ("policies/a.rego", &REGO.replace("NAME", "a"))]);
        let path = url.trim_start_matches("https://terrane.test").to_owned();
        app.put(path).body("application/octet-stream", files).await.expect(200);
        policies::check_waiting(&app).await.unwrap();
        let read = app.get(format!("/api/v2/policy-set-versions/{}", version.id()))
            .by(&team.reader).await.expect(200);
        assert_eq!(read.attribute("status"), "ready", "{}", read.text());
        let current = &read_set(&app, &team, &made.id()).await.data()["relationships"]["current-version"];
        assert_eq!(current["data"]["id"], version.id());
        assert_eq!(in_force(&app, &team).await, ["net"]);
        // The same thing seen as a group; deleted with all that it is bound to.
        assert_eq!(super::read(&app, &team, &made.id()).await.attribute("kind"), "queries");
        app.delete(format!("/api/v2/policy-sets/{}", made.id())).by(&team.admin).await.expect(204);
        assert!(in_force(&app, &team).await.is_empty());
    }

    async fn single_policies_become_revisions(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let (a, b) = (policy(&app, &team, "a").await, policy(&app, &team, "b").await);
        for (id, name) in [(&a, "a"), (&b, "b")] {
            app.put(format!("/api/v2/policies/{id}/upload")).by(&team.admin)
                .body("application/octet-stream", REGO.replace("NAME", name)).await.expect(200);
        }
        let text = app.get(format!("/api/v2/policies/{a}/download")).by(&team.reader).await;
        assert_eq!(text.expect(200).text(), REGO.replace("NAME", "a"));
        let path = format!("/api/v2/organizations/{}/policy-sets", team.environment.name);
        let body = json!({ "data": {
            "type": "policy-sets", "attributes": { "name": "net", "kind": "opa", "global": true },
            "relationships": { "policies": linkage("policies", &[&a]) },
        } });
        let made = app.post(path).by(&team.admin).json(&body).await.expect(201);
        assert_eq!((made.attribute("versioned"), made.attribute("policy-count")), (json!(false), json!(1)));
        policies::check_waiting(&app).await.unwrap();
        assert_eq!(in_force(&app, &team).await, ["net"]);
        let first = read_set(&app, &team, &made.id()).await;
        let newest = |answer: &Answer| {
            let relation = &answer.data()["relationships"]["newest-version"]["data"];
            relation["id"].as_str().unwrap().to_owned()
        };
        let found = revision(&app, &team, &newest(&first)).await;
        assert_eq!(found.attribute("policies")[0]["name"], "a");
        assert_eq!(found.attribute("broken-policy-count"), 0, "{}", found.text());
        // One more policy, and a change of one: each is a new revision.
        let members = format!("/api/v2/policy-sets/{}/relationships/policies", made.id());
        app.post(&members).by(&team.admin).json(&linkage("policies", &[&b])).await.expect(204);
        app.put(format!("/api/v2/policies/{b}/upload")).by(&team.admin)
            .body("application/octet-stream", "package broken\n\ndeny {").await.expect(200);
        policies::check_waiting(&app).await.unwrap();
        let second = read_set(&app, &team, &made.id()).await;
        assert_ne!(newest(&first), newest(&second));
        let found = revision(&app, &team, &newest(&second)).await;
        assert_eq!(found.attribute("policy-count"), 2);
        assert_eq!(found.attribute("broken-policy-count"), 1, "{}", found.text());
        // Versions are for sets without single policies, and policies in use stay.
        let versions = format!("/api/v2/policy-sets/{}/versions", made.id());
        let refused = app.post(&versions).by(&team.admin).await.expect(409);
        assert_eq!(refused.code(), "policies.other-source");
        let used = app.delete(format!("/api/v2/policies/{a}")).by(&team.admin).await.expect(409);
        assert_eq!(used.code(), "policies.in-use");
        app.delete(&members).by(&team.admin).json(&linkage("policies", &[&a, &b])).await.expect(204);
        app.delete(format!("/api/v2/policies/{a}")).by(&team.admin).await.expect(204);
        app.post(&versions).by(&team.admin).await.expect(201);
    }

    async fn bindings_and_exclusions(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let made = set(&app, &team, json!({ "name": "net", "kind": "opa" })).await.expect(201).id();
        let files = archive(&[("policies.hcl", "policy \"a\" {\n  query = \
            \"data.terraform.policies.a.deny\"\n}\n"), ("a.rego", &REGO.replace("NAME", "a"))]);
        push(&app, &team, &made, files).await;
        let relation = |list: &str| format!("/api/v2/policy-sets/{made}/relationships/{list}");
        let project = linkage("projects", &[team.workspace.project_id.as_str()]);
        let workspace = linkage("workspaces", &[team.workspace.id.as_str()]);
        let add = async |list: &str, body: &Value| {
            app.post(relation(list)).by(&team.admin).json(body).await.status.as_u16()
        };
        let remove = async |list: &str, body: &Value| {
            app.delete(relation(list)).by(&team.admin).json(body).await.status.as_u16()
        };
        assert_eq!(add("projects", &project).await, 204);
        assert_eq!(in_force(&app, &team).await, ["net"]);
        assert_eq!(add("workspace-exclusions", &workspace).await, 204);
        assert!(in_force(&app, &team).await.is_empty());
        assert_eq!(remove("workspace-exclusions", &workspace).await, 204);
        assert_eq!(remove("projects", &project).await, 204);
        assert!(in_force(&app, &team).await.is_empty());
        assert_eq!(add("workspaces", &workspace).await, 204);
        assert_eq!(in_force(&app, &team).await, ["net"]);
        assert_eq!(read_set(&app, &team, &made).await.attribute("workspace-count"), 1);
        assert_eq!(add("nothing", &workspace).await, 404);
        // Enforced, it holds everywhere: bindings go, and exclusions still count.
        app.patch(format!("/api/v2/policy-sets/{made}")).by(&team.admin)
            .attributes("policy-sets", json!({ "global": true })).await.expect(200);
        assert_eq!(read_set(&app, &team, &made).await.attribute("workspace-count"), 0);
        assert_eq!(add("workspaces", &workspace).await, 422);
        assert_eq!(add("project-exclusions", &project).await, 204);
        assert!(in_force(&app, &team).await.is_empty());
        let gone = app.delete(format!("/api/v2/workspaces/{}", team.workspace.id)).by(&team.admin).await;
        gone.expect(204);
    }

    async fn sentinel_and_settings_without_effect_are_refused(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        for (attributes, pointer) in [
            (json!({ "name": "a" }), "/data/attributes/kind"),
            (json!({ "name": "a", "kind": "sentinel" }), "/data/attributes/kind"),
            (json!({ "name": "a", "kind": "opa", "agent-enabled": false }),
                "/data/attributes/agent-enabled"),
            (json!({ "name": "a", "kind": "opa", "policy-tool-version": "x" }),
                "/data/attributes/policy-tool-version"),
            (json!({ "name": "a", "kind": "opa", "vcs-repo": { "identifier": "a/b" } }),
                "/data/attributes/vcs-repo"),
        ] {
            let answer = set(&app, &team, attributes).await.expect(422);
            assert_eq!(answer.pointer(), pointer);
        }
        let path = format!("/api/v2/organizations/{}/policies", team.environment.name);
        for (attributes, pointer) in [
            (json!({ "name": "a", "kind": "sentinel" }), "/data/attributes/kind"),
            (json!({ "name": "a", "kind": "opa" }), "/data/attributes/query"),
            (json!({ "name": "a", "kind": "opa", "query": "data.a.deny",
                "enforce": [{ "path": "a.rego", "mode": "sometimes" }] }),
                "/data/attributes/enforcement-level"),
        ] {
            let answer = app.post(&path).by(&team.admin).attributes("policies", attributes).await;
            assert_eq!(answer.expect(422).pointer(), pointer);
        }
    }
}
