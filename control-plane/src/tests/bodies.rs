//! Every route that takes JSON:API objects refuses those of another type, relationships to another
//! type, and attributes that nothing reads; and what real clients send is taken.
//!
//! The bodies are those of `matrix.txt`, which has one for each route.

use db::Db;
use http::Method;
use serde_json::{Value, json};

use super::matrix::table;
use super::openapi::Operation;
use super::scene::Scene;
use crate::testing::{Answer, TestApp};

/// Whether the API document says that an operation takes JSON:API objects.
fn takes_objects(operation: &Operation) -> bool {
    let document = serde_json::to_value(crate::http::document()).unwrap();
    let method = operation.method.to_lowercase();
    let body = &document["paths"][&operation.path][method]["requestBody"];
    let Some(content) = body["content"].as_object() else {
        return false;
    };
    let schema = |it: &Value| match it["schema"]["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .cloned()
            .unwrap(),
        None => it["schema"].clone(),
    };
    content
        .values()
        .any(|it| !schema(it)["properties"]["data"].is_null())
}

/// The routes of `matrix.txt` whose bodies hold objects.
fn routes() -> Vec<(Operation, String)> {
    let has_data = |body: &str| body.starts_with('{') && body.contains("\"data\"");
    let rows = table();
    for (operation, row) in &rows {
        assert!(
            has_data(&row.body) || !takes_objects(operation),
            "{} {}: give its row in matrix.txt a body with `data`",
            operation.method,
            operation.path
        );
    }
    let with = rows.into_iter().filter(|(_, row)| has_data(&row.body));
    with.map(|(operation, row)| (operation, row.body)).collect()
}

/// How often anything was written down as done.
async fn deeds(app: &TestApp) -> i64 {
    let mut conn = app.db.acquire().await.unwrap();
    conn.query("SELECT COUNT(*) FROM audit_records")
        .fetch_scalar()
        .await
        .unwrap()
}

/// What [`spoiled`] found: the route, the pointer to what was wrong, and the answer.
type Spoiled = (String, String, Answer);

/// Sends each route its own body, as `spoil` leaves it. `spoil` gets one object of it and says what
/// it made wrong; `None` leaves the route out.
async fn spoiled(app: &TestApp, spoil: impl Fn(&mut Value) -> Option<String>) -> Vec<Spoiled> {
    let mut answers = Vec::new();
    let routes = routes();
    let wanted: String = routes
        .iter()
        .map(|(it, body)| it.path.clone() + body)
        .collect();
    let scene = Scene::new(app, &wanted).await;
    // A state is read from its holder only.
    let workspace = &scene.team.workspace.id;
    app.post(format!("/api/v2/workspaces/{workspace}/actions/lock"))
        .by(&scene.team.admin)
        .await
        .expect(200);
    for (operation, body) in routes {
        let mut body: Value = serde_json::from_str(&scene.fill(&body)).unwrap();
        let place = if body["data"].is_array() {
            "/data/0"
        } else {
            "/data"
        };
        let Some(object) = body.pointer_mut(place) else {
            continue;
        };
        let Some(wrong) = spoil(object) else {
            continue;
        };
        let pointer = format!("{place}/{wrong}");
        let method: Method = operation.method.parse().unwrap();
        let before = deeds(app).await;
        let answer = app
            .call(method, scene.path_of(&operation))
            .by(&scene.team.admin)
            .json(&body)
            .await;
        let name = format!("{} {}", operation.method, operation.path);
        assert_eq!(
            deeds(app).await,
            before,
            "{name} did something: {}",
            answer.text()
        );
        answers.push((name, pointer, answer));
    }
    answers
}

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn an_object_of_another_type_is_refused_everywhere(db: Db) {
        let app = TestApp::new(db);
        let answers = spoiled(&app, |object| {
            object["type"] = json!("bananas");
            Some("type".to_owned())
        }).await;
        assert!(answers.len() > 40, "the search for routes finds too few");
        for (route, pointer, answer) in answers {
            assert_eq!(answer.status, 422, "{route}: {}", answer.text());
            assert_eq!(answer.code(), "request.wrong-type", "{route}");
            assert_eq!(answer.pointer(), pointer, "{route}");
        }
    }

    async fn a_relationship_to_another_type_is_refused_everywhere(db: Db) {
        let app = TestApp::new(db);
        let answers = spoiled(&app, |object| {
            let (name, relation) = object["relationships"].as_object_mut()?.iter_mut().next()?;
            relation["data"]["type"] = json!("bananas");
            Some(format!("relationships/{name}/data/type"))
        }).await;
        assert!(answers.len() > 3, "the search for routes finds too few");
        for (route, pointer, answer) in answers {
            assert_eq!(answer.status, 422, "{route}: {}", answer.text());
            assert_eq!(answer.code(), "request.wrong-type", "{route}");
            assert_eq!(answer.pointer(), pointer, "{route}");
        }
    }

    async fn an_attribute_that_nothing_reads_is_refused_everywhere(db: Db) {
        let app = TestApp::new(db);
        let answers = spoiled(&app, |object| {
            object["attributes"]["unheard-of"] = json!(1);
            Some("attributes/unheard-of".to_owned())
        }).await;
        for (route, pointer, answer) in answers {
            assert_eq!(answer.status, 422, "{route}: {}", answer.text());
            assert_eq!(answer.code(), "request.unknown-attribute", "{route}");
            assert_eq!(answer.pointer(), pointer, "{route}");
        }
    }

    async fn what_has_no_effect_is_refused_by_name_where_clients_may_ask_for_it(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let environment = format!("/api/v2/organizations/{}", team.environment.name);
        let workspace = format!("/api/v2/workspaces/{}", team.workspace.id);
        let make = async |list: &str, kind: &str, attributes: Value| {
            let made = app.post(format!("{environment}/{list}")).by(&team.admin);
            format!("/api/v2/{list}/{}", made.attributes(kind, attributes).await.id())
        };
        let project = make("projects", "projects", json!({ "name": "spare-project" })).await;
        let people = make("teams", "teams", json!({ "name": "sre" })).await;
        let pool = make("agent-pools", "agent-pools", json!({ "name": "spare-pool" })).await;
        let set = json!({ "name": "spare-set", "kind": "opa" });
        let set = make("policy-sets", "policy-sets", set).await;
        let group = set.replace("policy-sets", "policy-groups");
        let parameter = app.post(format!("{set}/parameters")).by(&team.admin)
            .attributes("vars", json!({ "key": "a", "value": "b" })).await.expect(201).id();
        let parameter = format!("{set}/parameters/{parameter}");
        for (path, kind, name, asks, idle) in [
            (&workspace, "workspaces", "assessments-enabled", json!(true), json!(false)),
            (&workspace, "workspaces", "auto-destroy-at",
                json!("2040-01-01T00:00:00Z"), json!(null)),
            (&workspace, "workspaces", "hyok-enabled", json!(true), json!(false)),
            (&workspace, "workspaces", "trigger-prefixes", json!(["a"]), json!([])),
            (&workspace, "workspaces", "vcs-repo", json!({ "identifier": "a/b" }), json!(null)),
            (&project, "projects", "auto-destroy-activity-duration", json!("14d"), json!(null)),
            (&project, "projects", "default-execution-mode", json!("agent"), json!("remote")),
            (&people, "teams", "visibility", json!("secret"), json!("organization")),
            (&people, "teams", "allow-member-token-management", json!(false), json!(true)),
            (&people, "teams", "organization-access",
                json!({ "manage-policies": true }), json!({ "manage-policies": false })),
            (&pool, "agent-pools", "organization-scoped", json!(false), json!(true)),
            (&set, "policy-sets", "agent-enabled", json!(false), json!(true)),
            (&set, "policy-sets", "tag-selectors", json!([{ "tag-key": "a" }]), json!([])),
            (&group, "policy-groups", "vcs-repo", json!({ "identifier": "a/b" }), json!(null)),
            (&parameter, "vars", "hcl", json!(true), json!(false)),
            (&environment, "organizations", "user-tokens-enabled", json!(false), json!(true)),
            (&environment, "organizations", "session-timeout", json!(60), json!(null)),
            (&environment, "organizations", "default-execution-mode", json!("local"), json!("remote")),
            (&environment, "organizations", "collaborator-auth-policy",
                json!("two_factor_mandatory"), json!("password")),
            (&environment, "organizations", "assessments-enforced", json!(true), json!(false)),
            (&environment, "organizations", "owners-team-saml-role-id", json!("o"), json!("")),
        ] {
            let refused = app.patch(path).by(&team.admin)
                .attributes(kind, json!({ name: asks })).await.expect(422);
            assert_eq!(refused.code(), "request.without-effect", "{name}");
            assert_eq!(refused.pointer(), format!("/data/attributes/{name}"));
            app.patch(path).by(&team.admin).attributes(kind, json!({ name: idle })).await
                .expect(200);
        }
        let run = |attributes: Value| json!({ "data": { "type": "runs", "attributes": attributes,
            "relationships": { "workspace": { "data": {
                "type": "workspaces", "id": team.workspace.id.as_str() } } } } });
        for (name, asks) in [
            ("comment", json!("c")),
            ("debugging-mode", json!(true)),
            ("invoke-action-addrs", json!(["action.a.b"])),
            ("policy-paths", json!(["p"])),
        ] {
            let refused = app.post("/api/v2/runs").by(&team.admin)
                .json(&run(json!({ name: asks }))).await.expect(422);
            assert_eq!(refused.code(), "request.without-effect", "{name}");
        }
    }

    async fn a_list_of_bindings_holds_one_type_only(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let path = format!("/api/v2/organizations/{}/policy-sets", team.environment.name);
        let set = app.post(path).by(&team.admin)
            .attributes("policy-sets", json!({ "name": "spare", "kind": "opa" })).await
            .expect(201).id();
        let list = |name: &str, kind: &str| {
            let id = team.workspace.id.as_str();
            app.post(format!("/api/v2/policy-sets/{set}/relationships/{name}")).by(&team.admin)
                .json(&json!({ "data": [{ "type": kind, "id": id }] }))
        };
        let refused = list("workspaces", "projects").await.expect(422);
        assert_eq!(refused.code(), "request.wrong-type");
        assert_eq!(refused.pointer(), "/data/0/type");
        list("workspaces", "workspaces").await.expect(204);
        list("workspace-exclusions", "workspaces").await.expect(204);
    }

    async fn what_clients_send_along_is_taken(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let workspace = format!("/api/v2/workspaces/{}", team.workspace.id);
        app.patch(format!("/api/v2/organizations/{}", team.environment.name)).by(&team.admin)
            .attributes("organizations", json!({
                "email": "a@example.com", "collaborator-auth-policy": "password",
                "cost-estimation-enabled": false, "speculative-plan-management-enabled": true,
                "aggregated-commit-status-enabled": false, "allow-force-delete-workspaces": false,
            })).await.expect(200);
        // A workspace with all that the client library's users set by default.
        let made = json!({ "data": { "type": "workspaces", "attributes": {
            "name": "by-default", "allow-destroy-plan": true, "assessments-enabled": false,
            "auto-apply": false, "auto-apply-run-trigger": false, "description": "",
            "file-triggers-enabled": true, "hyok-enabled": false, "queue-all-runs": true,
            "inherits-project-auto-destroy": true, "project-remote-state": false,
            "source-name": "a", "source-url": "https://a.test", "speculative-enabled": true,
            "structured-run-output-enabled": true, "terraform-version": "1.11.4",
            "trigger-patterns": [], "trigger-prefixes": [], "working-directory": "",
        }, "relationships": {
            "project": { "data": null },
            "tag-bindings": { "data": [
                { "type": "tag-bindings", "attributes": { "key": "a", "value": "b" } }] },
            "tags": { "data": [{ "type": "tags", "attributes": { "name": "c" } }] },
        } } });
        app.post(format!("/api/v2/organizations/{}/workspaces", team.environment.name))
            .by(&team.admin).json(&made).await.expect(201);
        app.patch(&workspace).by(&team.admin).attributes("workspaces", json!({
            "file-triggers-enabled": true, "queue-all-runs": true, "global-remote-state": false,
            "setting-overwrites": { "execution-mode": true, "agent-pool": false },
        })).await.expect(200);
        // The lock as the command line wraps it, bare, and of nothing.
        for body in [
            json!({ "data": { "type": "", "attributes": { "reason": "r" } } }),
            json!({ "reason": "r" }),
            json!({}),
        ] {
            app.post(format!("{workspace}/actions/lock")).by(&team.admin).json(&body).await
                .expect(200);
            app.post(format!("{workspace}/actions/unlock")).by(&team.admin).await.expect(200);
        }
        let mut configuration = String::new();
        for body in [
            json!({}),
            json!({ "data": { "type": "configuration-versions", "attributes": {
                "auto-queue-runs": false, "provisional": false, "speculative": true } } }),
        ] {
            configuration = app.post(format!("{workspace}/configuration-versions"))
                .by(&team.admin).json(&body).await.expect(201).id();
        }
        // A run with every attribute that a command line may send: refused for its configuration
        // alone, which has not been uploaded.
        let run = json!({ "data": { "type": "runs", "attributes": {
            "allow-config-generation": false, "allow-empty-apply": false, "auto-apply": false,
            "debugging-mode": false, "invoke-action-addrs": [], "is-destroy": false,
            "message": "m", "plan-only": true, "policy-paths": [], "refresh": true,
            "refresh-only": false, "replace-addrs": [], "save-plan": false, "target-addrs": [],
            "variables": [{ "key": "a", "value": "\"b\"" }],
        }, "relationships": {
            "configuration-version": { "data": {
                "type": "configuration-versions", "id": configuration } },
            "workspace": { "data": {
                "type": "workspaces", "id": team.workspace.id.as_str() } },
        } } });
        let refused = app.post("/api/v2/runs").by(&team.admin).json(&run).await.expect(422);
        assert!(refused.code().starts_with("runs."), "{}", refused.text());
        // A state as every command that writes one announces it.
        app.post(format!("{workspace}/actions/lock")).by(&team.admin).await.expect(200);
        let state = json!({
            "force": false, "json-state-outputs": "e30=", "lineage": "l", "serial": 1,
            "md5": "00000000000000000000000000000000",
        });
        app.post(format!("{workspace}/state-versions")).by(&team.admin)
            .attributes("state-versions", state).await.expect(201);
        // Tags by id or by name, bindings as whole objects.
        for body in [
            json!({ "data": [{ "type": "tags", "attributes": { "name": "a" } }] }),
            json!({ "data": [{ "type": "tags", "id": "b" }] }),
        ] {
            app.post(format!("{workspace}/relationships/tags")).by(&team.admin).json(&body).await
                .expect(204);
        }
        let bindings = app.patch(format!("{workspace}/tag-bindings")).by(&team.admin)
            .json(&json!({ "data": [{ "type": "tag-bindings", "attributes": {
                "key": "c", "value": "d" } }] })).await.expect(200);
        assert_eq!(bindings.data().as_array().unwrap().len(), 3);
    }
}
