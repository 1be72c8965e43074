//! Roles and grants on both databases, through their routes: what they give, and what nobody can
//! give themselves.

use db::Db;
use domain::access::Role;
use serde_json::{Value, json};
use testkit::both_databases;

use crate::schema::MIGRATOR;
use crate::testing::{Team, TestApp, TestUser};

async fn setup(db: Db) -> (TestApp, Team) {
    let app = TestApp::new(db);
    let team = app.team().await;
    (app, team)
}

/// A body that grants `role` to a subject at a place.
fn grant(subject: (&str, &str, &str), role: &str, place: Option<(&str, &str, &str)>) -> Value {
    let (name, kind, id) = subject;
    let mut relationships = json!({
        name: { "data": { "type": kind, "id": id } },
        "role": { "data": { "type": "roles", "id": role } },
    });
    if let Some((name, kind, id)) = place {
        relationships[name] = json!({ "data": { "type": kind, "id": id } });
    }
    json!({ "data": { "type": "access-policies", "relationships": relationships } })
}

fn user(id: &TestUser) -> (&'static str, &'static str, String) {
    ("user", "users", id.id.to_string())
}

const GRANTS: &str = "/api/v2/access-policies";

async fn role(app: &TestApp, by: &TestUser, name: &str, permissions: &[&str]) -> String {
    let attributes = json!({ "name": name, "permissions": permissions });
    let call = app.post("/api/v2/roles").by(by);
    call.attributes("roles", attributes).await.expect(201).id()
}

both_databases! { MIGRATOR;
    async fn the_catalogue_says_what_is_allowed_where(db: Db) {
        let (app, team) = setup(db).await;
        let list = app.get("/api/v2/permissions").by(&team.reader).await.expect(200);
        let found = list.data().as_array().unwrap().iter()
            .find(|it| it["id"] == "workspaces:create").unwrap().clone();
        assert_eq!(found["attributes"]["applicable-scopes"],
            json!(["account", "environment", "project"]));
        assert!(found["attributes"]["description"].as_str().unwrap().len() > 5);
    }

    async fn a_role_of_ones_own_lives_and_dies(db: Db) {
        let (app, team) = setup(db).await;
        let made = app.post("/api/v2/roles").by(&team.admin)
            .attributes("roles", json!({ "name": "runner", "permissions": ["runs:*", "*:read"] }))
            .await.expect(201);
        let path = format!("/api/v2/roles/{}", made.id());
        let effective = made.attribute("effective-permissions");
        assert!(effective.as_array().unwrap().contains(&json!("runs:force-cancel")));
        app.patch(&path).by(&team.admin)
            .attributes("roles", json!({ "permissions": ["runs:read"] })).await.expect(200);
        let read = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(read.attribute("effective-permissions"), json!(["runs:read"]));
        app.get(&path).by(&app.team().await.admin).await.expect(404);

        let (name, kind, id) = user(&team.reader);
        let body = grant((name, kind, &id), &made.id(), None);
        let granted = app.post(GRANTS).by(&team.admin).json(&body).await.expect(201).id();
        let again = app.post(GRANTS).by(&team.admin).json(&body).await.expect(409);
        assert_eq!(again.code(), "iam.granted-already");
        let used = app.delete(&path).by(&team.admin).await.expect(409);
        assert_eq!(used.code(), "iam.role-in-use");
        app.delete(format!("{GRANTS}/{granted}")).by(&team.admin).await.expect(204);
        app.delete(&path).by(&team.admin).await.expect(204);
        for action in ["role.create", "role.update", "role.delete", "access-policy.create",
            "access-policy.delete"] {
            assert_eq!(app.audited(&team.tenant, action).await, 1, "{action}");
        }
    }

    async fn what_a_role_may_be_is_said(db: Db) {
        let (app, team) = setup(db).await;
        let refused = async |attributes: Value| {
            app.post("/api/v2/roles").by(&team.admin).attributes("roles", attributes)
                .await.expect(422).pointer()
        };
        let name = "/data/attributes/name";
        assert_eq!(refused(json!({ "name": "admin", "permissions": ["runs:read"] })).await, name);
        assert_eq!(refused(json!({ "name": "", "permissions": ["runs:read"] })).await, name);
        let words = "/data/attributes/permissions";
        assert_eq!(refused(json!({ "name": "none", "permissions": [] })).await, words);
        assert_eq!(refused(json!({ "name": "odd", "permissions": ["runs:fly"] })).await, words);
        assert_eq!(
            refused(json!({ "name": "op", "permissions": ["accounts:limit-runs"] })).await, words);
        for id in ["role-admin", "role-read-only"] {
            let path = format!("/api/v2/roles/{id}");
            app.get(&path).by(&team.admin).await.expect(200);
            let fixed = app.patch(&path).by(&team.admin)
                .attributes("roles", json!({ "permissions": ["runs:read"] })).await.expect(409);
            assert_eq!(fixed.code(), "iam.system-role");
            app.delete(&path).by(&team.admin).await.expect(409);
        }
    }

    async fn a_grant_on_a_workspace_shows_it_and_nothing_else(db: Db) {
        let (app, team) = setup(db).await;
        let other = app.workspace(&team.environment, "other").await;
        let elsewhere = app.environment(&team.account, "elsewhere").await;
        let person = app.user(&team.account, Role::Member).await;
        let workspace = format!("/api/v2/workspaces/{}", team.workspace.id);
        app.get(&workspace).by(&person).await.expect(404);

        let (name, kind, id) = user(&person);
        let place = ("workspace", "workspaces", team.workspace.id.as_str());
        let body = grant((name, kind, &id), "role-user", Some(place));
        app.post(GRANTS).by(&team.admin).json(&body).await.expect(201);
        app.get(&workspace).by(&person).await.expect(200);
        app.get(format!("/api/v2/workspaces/{}", other.id)).by(&person).await.expect(404);
        app.get(format!("/api/v2/organizations/{}", elsewhere.name)).by(&person).await.expect(404);
        let path = format!("/api/v2/organizations/{}", team.environment.name);
        app.get(&path).by(&person).await.expect(200);
        app.patch(&path).by(&person)
            .attributes("organizations", json!({ "email": "x@y.test" })).await.expect(403);

        let ids = async |path: &str| -> Vec<String> {
            let list = app.get(path).by(&person).await.expect(200);
            list.data().as_array().unwrap().iter()
                .map(|it| it["id"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(ids(&format!("{path}/workspaces")).await, [team.workspace.id.to_string()]);
        assert_eq!(ids("/api/v2/organizations").await, [team.environment.name.as_str()]);
        let own = app.run_in_progress(&team.workspace).await;
        app.run_in_progress(&other).await;
        assert_eq!(ids(&format!("{path}/runs")).await, [own.id.to_string()]);
        assert_eq!(ids(GRANTS).await, Vec::<String>::new());
    }

    async fn a_grant_on_a_project_holds_in_what_comes_into_it(db: Db) {
        let (app, team) = setup(db).await;
        let project = app
            .post(format!("/api/v2/organizations/{}/projects", team.environment.name))
            .by(&team.admin).attributes("projects", json!({ "name": "theirs" }))
            .await.expect(201).id();
        let person = app.user(&team.account, Role::Member).await;
        let (name, kind, id) = user(&person);
        let place = ("project", "projects", project.as_str());
        let body = grant((name, kind, &id), "role-user", Some(place));
        app.post(GRANTS).by(&team.admin).json(&body).await.expect(201);
        let workspace = format!("/api/v2/workspaces/{}", team.workspace.id);
        app.get(&workspace).by(&person).await.expect(404);
        let list = app.get(format!("/api/v2/organizations/{}/projects", team.environment.name))
            .by(&person).await.expect(200);
        assert_eq!(list.data().as_array().unwrap().len(), 1);
        let moved = json!({ "data": { "type": "workspaces", "relationships": {
            "project": { "data": { "type": "projects", "id": project } } } } });
        app.patch(&workspace).by(&team.admin).json(&moved).await.expect(200);
        app.get(&workspace).by(&person).await.expect(200);
        let run = app.run_in_progress(&team.workspace).await;
        app.get(format!("/api/v2/runs/{}", run.id)).by(&person).await.expect(200);
        app.get(format!("/api/v2/configuration-versions/{}", run.configuration)).by(&person)
            .await.expect(200);
    }

    async fn a_workspace_is_not_moved_to_where_one_may_more(db: Db) {
        let (app, team) = setup(db).await;
        let project = app
            .post(format!("/api/v2/organizations/{}/projects", team.environment.name))
            .by(&team.admin).attributes("projects", json!({ "name": "mine" }))
            .await.expect(201).id();
        let person = app.user(&team.account, Role::Member).await;
        let (name, kind, id) = user(&person);
        let narrow = role(&app, &team.admin, "settings", &["workspaces:read", "workspaces:update"]).await;
        let on = ("workspace", "workspaces", team.workspace.id.as_str());
        let body = grant((name, kind, &id), &narrow, Some(on));
        app.post(GRANTS).by(&team.admin).json(&body).await.expect(201);
        let place = ("project", "projects", project.as_str());
        let body = grant((name, kind, &id), "role-admin", Some(place));
        app.post(GRANTS).by(&team.admin).json(&body).await.expect(201);
        let moved = json!({ "data": { "type": "workspaces", "relationships": {
            "project": { "data": { "type": "projects", "id": project } } } } });
        let workspace = format!("/api/v2/workspaces/{}", team.workspace.id);
        app.patch(&workspace).by(&person).json(&moved).await.expect(403);
        app.get(format!("{workspace}/current-state-version")).by(&person).await.expect(403);
    }

    async fn nobody_hands_out_more_than_they_have(db: Db) {
        let (app, team) = setup(db).await;
        let person = app.user(&team.account, Role::Member).await;
        let (name, kind, id) = user(&person);
        let keeper = role(&app, &team.admin, "keeper", &["roles:*", "access-policies:*",
            "users:*", "teams:*", "environments:read", "runs:read"]).await;
        let body = grant((name, kind, &id), &keeper, None);
        app.post(GRANTS).by(&team.admin).json(&body).await.expect(201);

        // By a grant, to oneself or to somebody else.
        for role in ["role-admin", "role-user", "role-read-only"] {
            for to in [&person, &team.reader] {
                let (name, kind, id) = user(to);
                let body = grant((name, kind, &id), role, None);
                let refused = app.post(GRANTS).by(&person).json(&body).await.expect(403);
                assert_eq!(refused.code(), "iam.beyond-own");
            }
        }
        // By a role of one's own: a new one, a wildcard, or one that one has.
        for words in [json!(["runs:apply"]), json!(["*:*"]), json!(["runs:*"])] {
            let attributes = json!({ "name": "more", "permissions": words });
            let call = app.post("/api/v2/roles").by(&person);
            let refused = call.attributes("roles", attributes).await.expect(403);
            assert_eq!(refused.code(), "iam.beyond-own");
            let call = app.patch(format!("/api/v2/roles/{keeper}")).by(&person);
            call.attributes("roles", json!({ "permissions": words })).await.expect(403);
        }
        let within = role(&app, &person, "within", &["runs:read"]).await;
        let (name, kind, id) = user(&team.reader);
        app.post(GRANTS).by(&person).json(&grant((name, kind, &id), &within, None))
            .await.expect(201);
        // By a member with a role.
        let path = format!("/api/v2/organizations/{}/organization-memberships",
            team.environment.name);
        let member = |role: &str| json!({ "email": format!("{role}@terrane.test"),
            "username": format!("made-{role}-{}", team.environment.name), "role": role });
        let call = app.post(&path).by(&person);
        let refused = call.attributes("organization-memberships", member("admin")).await;
        assert_eq!(refused.expect(403).code(), "iam.beyond-own");
        let call = app.post(&path).by(&person);
        call.attributes("organization-memberships", member("member")).await.expect(201);
        // By going into a team that has more.
        let admins = app
            .post(format!("/api/v2/organizations/{}/teams", team.environment.name))
            .by(&team.admin).attributes("teams", json!({ "name": "admins" }))
            .await.expect(200).id();
        let body = grant(("team", "teams", &admins), "role-admin", None);
        app.post(GRANTS).by(&team.admin).json(&body).await.expect(201);
        let me = json!({ "data": [{ "type": "users", "id": person.username }] });
        let path = format!("/api/v2/teams/{admins}/relationships/users");
        let refused = app.post(&path).by(&person).json(&me).await.expect(403);
        assert_eq!(refused.code(), "iam.beyond-own");
    }

    async fn a_narrow_keeper_grants_in_their_own_place_only(db: Db) {
        let (app, team) = setup(db).await;
        let other = app.environment(&team.account, "another").await;
        let person = app.user(&team.account, Role::Member).await;
        let (name, kind, id) = user(&person);
        let environment = team.environment.id.to_string();
        let here = Some(("environment", "environments", environment.as_str()));
        let body = grant((name, kind, &id), "role-admin", here);
        let own = app.post(GRANTS).by(&team.admin).json(&body).await.expect(201).id();
        let reader = user(&team.reader);
        let ask = async |role: &str, place| {
            let body = grant((reader.0, reader.1, &reader.2), role, place);
            app.post(GRANTS).by(&person).json(&body).await
        };
        let workspace = ("workspace", "workspaces", team.workspace.id.as_str());
        ask("role-admin", Some(workspace)).await.expect(201);
        ask("role-user", here).await.expect(201);
        ask("role-user", None).await.expect(404);
        let there = other.id.to_string();
        ask("role-user", Some(("environment", "environments", &there))).await.expect(404);
        let list = app.get(GRANTS).by(&person).await.expect(200);
        assert_eq!(list.data().as_array().unwrap().len(), 3);
        app.get(format!("{GRANTS}/{own}")).by(&person).await.expect(200);
    }

    async fn the_last_administrator_stays(db: Db) {
        let (app, team) = setup(db).await;
        let list = app.get(format!("{GRANTS}?filter[role]=role-admin")).by(&team.admin).await
            .expect(200);
        let only = list.data()[0]["id"].as_str().unwrap().to_owned();
        let path = format!("{GRANTS}/{only}");
        let kept = app.delete(&path).by(&team.admin).await.expect(409);
        assert_eq!(kept.code(), "iam.last-administrator");
        // Through a team is enough, until somebody leaves it.
        let admins = app
            .post(format!("/api/v2/organizations/{}/teams", team.environment.name))
            .by(&team.admin).attributes("teams", json!({ "name": "admins" }))
            .await.expect(200).id();
        let body = grant(("team", "teams", &admins), "role-admin", None);
        app.post(GRANTS).by(&team.admin).json(&body).await.expect(201);
        app.delete(&path).by(&team.admin).await.expect(409);
        let me = json!({ "data": [{ "type": "users", "id": team.admin.username }] });
        let members = format!("/api/v2/teams/{admins}/relationships/users");
        app.post(&members).by(&team.admin).json(&me).await.expect(204);
        app.delete(&path).by(&team.admin).await.expect(204);
        let kept = app.delete(&members).by(&team.admin).json(&me).await.expect(409);
        assert_eq!(kept.code(), "iam.last-administrator");
        let kept = app.delete(format!("/api/v2/teams/{admins}")).by(&team.admin).await.expect(409);
        assert_eq!(kept.code(), "iam.last-administrator");
        // Nor does the team go with its environment.
        app.delete(format!("/api/v2/workspaces/{}", team.workspace.id)).by(&team.admin).await
            .expect(204);
        let path = format!("/api/v2/organizations/{}", team.environment.name);
        let kept = app.delete(&path).by(&team.admin).await.expect(409);
        assert_eq!(kept.code(), "iam.last-administrator");
    }

    async fn who_may_what_and_why_is_told(db: Db) {
        let (app, team) = setup(db).await;
        let person = app.user(&team.account, Role::Member).await;
        let sre = app
            .post(format!("/api/v2/organizations/{}/teams", team.environment.name))
            .by(&team.admin).attributes("teams", json!({ "name": "sre" }))
            .await.expect(200).id();
        let me = json!({ "data": [{ "type": "users", "id": person.username }] });
        app.post(format!("/api/v2/teams/{sre}/relationships/users")).by(&team.admin).json(&me)
            .await.expect(204);
        let environment = team.environment.id.to_string();
        let place = Some(("environment", "environments", environment.as_str()));
        let body = grant(("team", "teams", &sre), "role-user", place);
        app.post(GRANTS).by(&team.admin).json(&body).await.expect(201);

        let path = format!("/api/v2/workspaces/{}/access", team.workspace.id);
        let list = app.get(format!("{path}?filter[permission]=runs:apply")).by(&team.admin).await
            .expect(200);
        let names: Vec<_> = list.data().as_array().unwrap().iter()
            .map(|it| it["attributes"]["subject-name"].as_str().unwrap().to_owned()).collect();
        let mut expected = vec![team.admin.username.clone(), person.username.clone()];
        expected.sort();
        expected.insert(0, "sre".to_owned());
        assert_eq!(names, expected);

        let ask = format!("{path}?filter[permission]=runs:apply&filter[subject]=");
        let one = app.get(format!("{ask}{}", person.id)).by(&team.admin).await.expect(200);
        let said = &one.data()[0]["attributes"];
        assert_eq!(said["allowed"], true);
        assert_eq!(said["sources"][0]["via-team"], "sre");
        assert_eq!(said["sources"][0]["scope"], "environment");
        let text = said["explanation"].as_str().unwrap();
        assert!(text.contains("role user at environment scope as a member of team sre"), "{text}");
        let one = app.get(format!("{ask}{}", team.reader.id)).by(&team.admin).await.expect(200);
        assert_eq!(one.data()[0]["attributes"]["allowed"], false);
        app.get(&path).by(&person).await.expect(403);
        app.get("/api/v2/account/access").by(&app.team().await.admin).await.expect(200);
    }
}
