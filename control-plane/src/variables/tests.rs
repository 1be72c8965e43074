//! The slice on both databases, through its routes.

use db::Db;
use domain::workspace::VariableCategory;
use serde_json::{Value, json};
use testkit::both_databases;

use crate::schema::MIGRATOR;
use crate::testing::{Answer, Team, TestApp};

both_databases! { MIGRATOR;
    async fn what_is_created_is_read_back(db: Db) {
        let (app, team) = setup(db).await;
        let made = create(&app, &team, json!({
            "key": "region", "value": "eu-west-1", "category": "terraform", "hcl": false,
            "description": "where",
        })).await.expect(201);
        let read = app.get(one(&team, &made.id())).by(&team.reader).await.expect(200);
        assert_eq!(read.data()["type"], "vars");
        assert_eq!(read.attribute("value"), "eu-west-1");
        assert_eq!(read.attribute("category"), "terraform");
        assert_eq!(read.attribute("description"), "where");
        assert_eq!(
            read.data()["relationships"]["configurable"]["data"],
            json!({ "type": "workspaces", "id": team.workspace.id })
        );
    }

    async fn a_sensitive_value_is_never_shown_again(db: Db) {
        let (app, team) = setup(db).await;
        let made = create(&app, &team, json!({
            "key": "password", "value": "hunter2-hunter2", "category": "env", "sensitive": true,
        })).await.expect(201);
        let path = one(&team, &made.id());
        let list = app.get(vars(&team)).by(&team.admin).await.expect(200);
        for answer in [&made, &app.get(&path).by(&team.admin).await, &list] {
            assert!(!answer.text().contains("hunter2"), "{}", answer.text());
        }
        assert_eq!(made.attribute("value"), Value::Null);

        let uncover = change(&app, &team, &path, json!({ "sensitive": false })).await.expect(422);
        assert_eq!(uncover.code(), "variables.stays-sensitive");
        let replaced = change(&app, &team, &path, json!({ "sensitive": false, "value": "plain" }))
            .await.expect(200);
        assert_eq!(replaced.attribute("value"), "plain");
    }

    async fn no_value_is_stored_in_clear(db: Db) {
        let (app, team) = setup(db).await;
        for sensitive in [false, true] {
            create(&app, &team, json!({
                "key": format!("a{sensitive}"), "value": "find-me-if-you-can",
                "category": "terraform", "sensitive": sensitive,
            })).await.expect(201);
        }
        let mut conn = app.db.acquire().await.unwrap();
        let rows: Vec<(Vec<u8>,)> =
            conn.query("SELECT sealed_value FROM variables").fetch_all().await.unwrap();
        assert_eq!(rows.len(), 2);
        for (sealed,) in rows {
            assert!(!sealed.windows(7).any(|it| it == b"find-me"));
        }
        let details: Vec<(db::Json<Value>,)> =
            conn.query("SELECT detail FROM audit_records").fetch_all().await.unwrap();
        assert!(!format!("{details:?}").contains("find-me"));
    }

    async fn a_key_is_taken_once_per_category(db: Db) {
        let (app, team) = setup(db).await;
        let variable = |category| json!({ "key": "a", "value": "1", "category": category });
        create(&app, &team, variable("terraform")).await.expect(201);
        create(&app, &team, variable("env")).await.expect(201);
        let again = create(&app, &team, variable("env")).await.expect(422);
        assert_eq!((again.code(), again.pointer()),
            ("variables.key-taken".to_owned(), "/data/attributes/key".to_owned()));
    }

    async fn wrong_attributes_are_named(db: Db) {
        let (app, team) = setup(db).await;
        for (attributes, field) in [
            (json!({ "key": "", "category": "env" }), "key"),
            (json!({ "key": "A-B", "category": "env" }), "key"),
            (json!({ "key": "a b", "category": "terraform" }), "key"),
            (json!({ "key": "a", "category": "policy-set" }), "category"),
            (json!({ "key": "a" }), "category"),
            (json!({ "key": "A", "category": "env", "hcl": true }), "hcl"),
            (json!({ "key": "A", "category": "env", "value": "x".repeat(130_000) }), "value"),
            (json!({ "key": "a", "category": "terraform", "sensitive": "yes" }), "sensitive"),
        ] {
            let refused = create(&app, &team, attributes).await.expect(422);
            assert_eq!(refused.pointer(), format!("/data/attributes/{field}"));
        }
        let nul = create(&app, &team, json!({ "key": "a", "category": "env", "value": "\0" })).await;
        assert_eq!(nul.expect(400).code(), "request.nul-character");
    }

    async fn an_update_leaves_what_it_does_not_name(db: Db) {
        let (app, team) = setup(db).await;
        let made = create(&app, &team, json!({
            "key": "a", "value": "1", "category": "terraform", "description": "d", "hcl": true,
        })).await.expect(201);
        let path = one(&team, &made.id());
        let changed = change(&app, &team, &path, json!({ "value": "[2]" })).await.expect(200);
        assert_eq!(changed.attribute("value"), "[2]");
        assert_eq!(changed.attribute("description"), "d");
        assert_eq!(changed.attribute("hcl"), true);
        assert_ne!(changed.attribute("version-id"), made.attribute("version-id"));
        let emptied = change(&app, &team, &path, json!({ "value": null })).await.expect(200);
        assert_eq!(emptied.attribute("value"), "");
        app.delete(&path).by(&team.admin).await.expect(204);
        app.get(&path).by(&team.admin).await.expect(404);
        assert_eq!(app.audited(&team.tenant, "variable.update").await, 2);
    }

    async fn the_older_routes_reach_the_same_variables(db: Db) {
        let (app, team) = setup(db).await;
        let body = json!({ "data": {
            "type": "vars",
            "attributes": { "key": "a", "value": "1", "category": "terraform" },
            "relationships": {
                "workspace": { "data": { "type": "workspaces", "id": team.workspace.id } },
            },
        } });
        let made = app.post("/api/v2/vars").by(&team.admin).json(&body).await.expect(201);
        let query = format!(
            "/api/v2/vars?filter[organization][name]={}&filter[workspace][name]={}",
            team.environment.name, team.workspace.name
        );
        assert_eq!(app.get(query).by(&team.reader).await.expect(200).each("key"), ["a"]);
        app.get("/api/v2/vars").by(&team.reader).await.expect(400);
        let path = format!("/api/v2/vars/{}", made.id());
        change(&app, &team, &path, json!({ "value": "2" })).await.expect(200);
        app.delete(&path).by(&team.admin).await.expect(204);
    }

    async fn a_list_is_one_page(db: Db) {
        let (app, team) = setup(db).await;
        for number in 0..25 {
            let attributes =
                json!({ "key": format!("k{number:02}"), "value": "v", "category": "env" });
            create(&app, &team, attributes).await.expect(201);
        }
        let list = app.get(vars(&team)).by(&team.reader).await.expect(200);
        assert_eq!(list.each("key").len(), 25);
        assert_eq!(list.json()["meta"]["pagination"]["total-pages"], 1);
    }

    async fn a_variable_is_found_in_its_own_workspace_only(db: Db) {
        let (app, team) = setup(db).await;
        let made = create(&app, &team, json!({ "key": "a", "category": "env" })).await.expect(201);
        let other = app.workspace(&team.environment, "other").await;
        app.get(format!("/api/v2/workspaces/{}/vars/{}", other.id, made.id()))
            .by(&team.admin).await.expect(404);
    }

    async fn a_run_reads_the_variables_of_its_workspace(db: Db) {
        let (app, team) = setup(db).await;
        create(&app, &team, json!({ "key": "a", "value": "1", "category": "terraform" }))
            .await.expect(201);
        let run = app.run_in_progress(&team.workspace).await;
        assert_eq!(app.get(vars(&team)).by(&run).await.expect(200).each("key"), ["a"]);
    }

    async fn a_run_is_given_every_value(db: Db) {
        let (app, team) = setup(db).await;
        for (key, category, sensitive) in
            [("b", "terraform", true), ("a", "terraform", false), ("A", "env", true)]
        {
            create(&app, &team, json!({
                "key": key, "value": format!("value of {key}"), "category": category,
                "sensitive": sensitive,
            })).await.expect(201);
        }
        let mut conn = app.db.acquire().await.unwrap();
        let all = super::effective(&app, &mut conn, &team.tenant, &team.environment.id, &team.workspace.id)
            .await.unwrap();
        let seen: Vec<_> = all.iter()
            .map(|it| (it.category, it.key.as_str(), it.value.expose().as_str()))
            .collect();
        assert_eq!(seen, [
            (VariableCategory::Environment, "A", "value of A"),
            (VariableCategory::Terraform, "a", "value of a"),
            (VariableCategory::Terraform, "b", "value of b"),
        ]);
        assert!(!format!("{all:?}").contains("value of"));
    }

    async fn workspaces_inherit_and_override_what_is_above_them(db: Db) {
        let (app, team) = setup(db).await;
        for (level, keys) in [
            (Level::Account, &["a", "b", "c"][..]),
            (Level::Environment, &["b", "c"]),
            (Level::Workspace, &["c", "d"]),
        ] {
            for key in keys {
                at(&app, &team, level, json!({ "key": key, "value": format!("{level:?}"),
                    "category": "terraform" })).await.expect(201);
            }
        }
        // The same key for another receiver is another variable.
        at(&app, &team, Level::Account, json!({ "key": "c", "value": "env", "category": "env" }))
            .await.expect(201);
        let shown = effective(&app, &team).await;
        assert_eq!(shown, [
            ("env", "c", "env", "account", vec![]),
            ("terraform", "a", "Account", "account", vec![]),
            ("terraform", "b", "Environment", "environment", vec!["account"]),
            ("terraform", "c", "Workspace", "workspace", vec!["environment", "account"]),
            ("terraform", "d", "Workspace", "workspace", vec![]),
        ].map(|(category, key, value, origin, overrides)| json!({
            "category": category, "key": key, "value": value, "origin": origin,
            "overrides": overrides,
        })));
        // A workspace of another environment inherits what is the account's only.
        environment(&app, &team, "elsewhere").await;
        let other = app.post("/api/v2/organizations/elsewhere/workspaces").by(&team.admin)
            .attributes("workspaces", json!({ "name": "other" })).await.expect(201).id();
        let path = format!("/api/v2/workspaces/{other}/effective-vars");
        let list = app.get(path).by(&team.admin).await.expect(200);
        let origins: Vec<Value> = list.data().as_array().unwrap().iter()
            .map(|it| it["attributes"]["origin"].clone()).collect();
        assert_eq!(origins, ["account"; 4]);
    }

    async fn nothing_below_overrides_a_final_variable(db: Db) {
        let (app, team) = setup(db).await;
        let early = json!({ "key": "region", "value": "mine", "category": "terraform" });
        at(&app, &team, Level::Workspace, early).await.expect(201);
        let last_word = json!({ "key": "region", "value": "eu", "category": "terraform",
            "final": true });
        let made = at(&app, &team, Level::Account, last_word.clone()).await.expect(201);
        assert_eq!(made.attribute("final"), true);
        let shown = effective(&app, &team).await;
        assert_eq!(shown[0]["value"], "eu");
        assert_eq!(shown[0]["overrides"], json!(["workspace"]));
        let refused = at(&app, &team, Level::Environment, last_word).await.expect(422);
        assert_eq!(refused.code(), "variables.final-above");
        assert!(refused.text().contains("the account has a final variable"), "{}", refused.text());
        // Neither by taking its name.
        let renamed = json!({ "key": "zone", "value": "x", "category": "terraform" });
        let id = at(&app, &team, Level::Workspace, renamed).await.expect(201).id();
        let refused = change(&app, &team, &one(&team, &id), json!({ "key": "region" }))
            .await.expect(422);
        assert_eq!(refused.code(), "variables.final-above");
        let path = format!("/api/v2/vars/{}", made.id());
        change(&app, &team, &path, json!({ "final": false })).await.expect(200);
        assert_eq!(effective(&app, &team).await[0]["value"], "mine");
    }

    async fn an_environment_goes_with_its_variables_and_another_account_sees_none(db: Db) {
        let (app, team) = setup(db).await;
        let stranger = app.team().await;
        let secret = json!({ "key": "a", "value": "b", "category": "env", "sensitive": true });
        for level in [Level::Account, Level::Environment] {
            let id = at(&app, &team, level, secret.clone()).await.expect(201).id();
            let path = format!("/api/v2/vars/{id}");
            app.get(&path).by(&stranger.admin).await.expect(404);
            app.delete(&path).by(&stranger.admin).await.expect(404);
            app.get(&path).by(&team.reader).await.expect(200);
            app.delete(&path).by(&team.reader).await.expect(403);
        }
        assert!(effective(&app, &stranger).await.is_empty());
        environment(&app, &team, "brief").await;
        let path = "/api/v2/organizations/brief/vars";
        app.post(path).by(&team.admin).attributes("vars", secret).await.expect(201);
        app.delete("/api/v2/organizations/brief").by(&team.admin).await.expect(204);
        let mut conn = app.db.acquire().await.unwrap();
        let left: i64 = conn.query("SELECT COUNT(*) FROM variables").fetch_scalar().await.unwrap();
        assert_eq!(left, 2);
    }
}

#[derive(Debug, Clone, Copy)]
enum Level {
    Account,
    Environment,
    Workspace,
}

async fn at(app: &TestApp, team: &Team, level: Level, attributes: Value) -> Answer {
    let path = match level {
        Level::Account => "/api/v2/account/vars".to_owned(),
        Level::Environment => format!("/api/v2/organizations/{}/vars", team.environment.name),
        Level::Workspace => vars(team),
    };
    app.post(path)
        .by(&team.admin)
        .attributes("vars", attributes)
        .await
}

async fn environment(app: &TestApp, team: &Team, name: &str) {
    app.post("/api/v2/organizations")
        .by(&team.admin)
        .attributes(
            "organizations",
            json!({ "name": name, "email": "ops@example.com" }),
        )
        .await
        .expect(201);
}

/// What counts for the team's workspace, by the words that matter here.
async fn effective(app: &TestApp, team: &Team) -> Vec<Value> {
    let path = format!("/api/v2/workspaces/{}/effective-vars", team.workspace.id);
    let list = app.get(path).by(&team.reader).await.expect(200);
    let brief = |it: &Value| {
        let attributes = &it["attributes"];
        let overrides = attributes["overrides"].as_array().unwrap();
        let overrides: Vec<&Value> = overrides.iter().map(|it| &it["origin"]).collect();
        json!({ "category": attributes["category"], "key": attributes["key"],
            "value": attributes["value"], "origin": attributes["origin"],
            "overrides": overrides })
    };
    list.data().as_array().unwrap().iter().map(brief).collect()
}

async fn setup(db: Db) -> (TestApp, Team) {
    let app = TestApp::new(db);
    let team = app.team().await;
    (app, team)
}

fn vars(team: &Team) -> String {
    format!("/api/v2/workspaces/{}/vars", team.workspace.id)
}

fn one(team: &Team, id: &str) -> String {
    format!("{}/{id}", vars(team))
}

async fn create(app: &TestApp, team: &Team, attributes: Value) -> Answer {
    app.post(vars(team))
        .by(&team.admin)
        .attributes("vars", attributes)
        .await
}

async fn change(app: &TestApp, team: &Team, path: &str, attributes: Value) -> Answer {
    app.patch(path)
        .by(&team.admin)
        .attributes("vars", attributes)
        .await
}
