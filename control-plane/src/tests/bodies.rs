//! Every route that takes JSON:API objects refuses those of another type, and attributes that
//! nothing reads; and what real clients send is taken.
//!
//! The bodies are those of `matrix.txt`, which has one for each route.

use db::Db;
use http::Method;
use serde_json::{Value, json};

use super::matrix::{Scene, table};
use super::openapi::Operation;
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

/// Sends each route its own body, as `spoil` leaves it; `spoil` gets one object of it.
async fn spoiled(app: &TestApp, spoil: impl Fn(&mut Value)) -> Vec<(String, String, Answer)> {
    let mut answers = Vec::new();
    let elsewhere = app.account().await;
    let foreign = app.user(&elsewhere, domain::access::Role::Admin).await;
    let scene = Scene::new(app, &foreign).await;
    // A state is read from its holder only.
    let workspace = &scene.team.workspace.id;
    app.post(format!("/api/v2/workspaces/{workspace}/actions/lock"))
        .by(&scene.team.admin)
        .await
        .expect(200);
    for (operation, body) in routes() {
        let mut body: Value = serde_json::from_str(&scene.fill(&body)).unwrap();
        let object = match &mut body["data"] {
            Value::Array(list) => (&mut list[0], "/data/0"),
            one => (one, "/data"),
        };
        spoil(object.0);
        let pointer = object.1.to_owned();
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
    assert!(answers.len() > 15, "the search for routes finds too few");
    answers
}

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn an_object_of_another_type_is_refused_everywhere(db: Db) {
        let app = TestApp::new(db);
        let answers = spoiled(&app, |object| object["type"] = json!("bananas")).await;
        for (route, pointer, answer) in answers {
            assert_eq!(answer.status, 422, "{route}: {}", answer.text());
            assert_eq!(answer.code(), "request.wrong-type", "{route}");
            assert_eq!(answer.pointer(), format!("{pointer}/type"), "{route}");
        }
    }

    async fn an_attribute_that_nothing_reads_is_refused_everywhere(db: Db) {
        let app = TestApp::new(db);
        let answers = spoiled(&app, |object| object["attributes"]["unheard-of"] = json!(1)).await;
        for (route, pointer, answer) in answers {
            assert_eq!(answer.status, 422, "{route}: {}", answer.text());
            assert_eq!(answer.code(), "request.unknown-attribute", "{route}");
            assert_eq!(answer.pointer(), format!("{pointer}/attributes/unheard-of"), "{route}");
        }
    }

    async fn what_has_no_effect_is_refused_by_name_where_clients_may_ask_for_it(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let environment = format!("/api/v2/organizations/{}", team.environment.name);
        for (path, kind, name, asks, idle) in [
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
        let project = app.post(format!("{environment}/projects")).by(&team.admin)
            .attributes("projects", json!({ "name": "p", "setting-overwrites": {
                "default-execution-mode": false } })).await.expect(201).id();
        let refused = app.patch(format!("/api/v2/projects/{project}")).by(&team.admin)
            .attributes("projects", json!({ "auto-destroy-activity-duration": "14d" })).await
            .expect(422);
        assert_eq!(refused.pointer(), "/data/attributes/auto-destroy-activity-duration");
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
        for body in [
            json!({}),
            json!({ "data": { "type": "configuration-versions", "attributes": {
                "auto-queue-runs": false, "provisional": false, "speculative": true } } }),
        ] {
            app.post(format!("{workspace}/configuration-versions")).by(&team.admin).json(&body)
                .await.expect(201);
        }
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
