//! Teams on both databases, through their routes.

use db::Db;
use domain::access::Role;
use serde_json::{Value, json};
use testkit::both_databases;

use crate::schema::MIGRATOR;
use crate::testing::{Answer, Team, TestApp};

both_databases! { MIGRATOR;
    async fn what_is_created_is_read_back_and_changed(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let made = create(&app, &team, json!({ "name": "Site reliability", "description": "pager" }))
            .await.expect(200);
        assert_eq!(made.data()["type"], "teams");
        let path = format!("/api/v2/teams/{}", made.id());
        let read = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(read.attribute("name"), "Site reliability");
        assert_eq!(read.attribute("description"), "pager");
        assert_eq!(read.attribute("users-count"), 0);
        assert_eq!(read.attribute("visibility"), "organization");
        assert_eq!(read.attribute("permissions")["can-destroy"], false);
        let change = json!({ "name": "sre", "description": null });
        let changed = app.patch(&path).by(&team.admin).attributes("teams", change)
            .await.expect(200);
        assert_eq!(changed.attribute("name"), "sre");
        assert_eq!(changed.attribute("description"), Value::Null);
        app.delete(&path).by(&team.admin).await.expect(204);
        app.get(&path).by(&team.admin).await.expect(404);
        for action in ["team.create", "team.update", "team.delete"] {
            assert_eq!(app.audited(&team.tenant, action).await, 1, "{action}");
        }
    }

    async fn a_name_is_taken_once_per_environment(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        create(&app, &team, json!({ "name": "sre" })).await.expect(200);
        let again = create(&app, &team, json!({ "name": "sre" })).await.expect(422);
        assert_eq!(again.code(), "iam.team-name-taken");
        let other = app.environment(&team.account, "elsewhere-teams").await;
        app.post(format!("/api/v2/organizations/{}/teams", other.name)).by(&team.admin)
            .attributes("teams", json!({ "name": "sre" })).await.expect(200);
    }

    async fn people_are_put_in_by_name_and_taken_out(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let id = create(&app, &team, json!({ "name": "sre" })).await.expect(200).id();
        let users = format!("/api/v2/teams/{id}/relationships/users");
        let both = json!({ "data": [
            { "type": "users", "id": team.reader.username },
            { "type": "users", "id": team.admin.id },
        ] });
        // Twice is once.
        for _ in 0..2 {
            app.post(&users).by(&team.admin).json(&both).await.expect(204);
        }
        let read = app.get(format!("/api/v2/teams/{id}?include=users")).by(&team.reader)
            .await.expect(200);
        assert_eq!(read.attribute("users-count"), 2);
        let related = &read.data()["relationships"]["users"]["data"];
        assert_eq!(related.as_array().unwrap().len(), 2);
        let mut names: Vec<_> = read.json()["included"].as_array().unwrap().iter()
            .map(|it| it["attributes"]["username"].as_str().unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(names, [team.admin.username.clone(), team.reader.username.clone()]);

        let one = json!({ "data": [{ "type": "users", "id": team.reader.username }] });
        app.delete(&users).by(&team.admin).json(&one).await.expect(204);
        let list = app
            .get(format!("/api/v2/organizations/{}/teams?include=users", team.environment.name))
            .by(&team.admin).await.expect(200);
        assert_eq!(list.data()[0]["attributes"]["users-count"], 1);
        assert_eq!(app.audited(&team.tenant, "team.add-members").await, 2);
    }

    async fn somebody_of_another_account_is_nobody(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let elsewhere = app.account().await;
        let stranger = app.user(&elsewhere, Role::Admin).await;
        let id = create(&app, &team, json!({ "name": "sre" })).await.expect(200).id();
        for name in [stranger.username.as_str(), stranger.id.as_str(), "nobody-at-all", ""] {
            let body = json!({ "data": [
                { "type": "users", "id": team.reader.username },
                { "type": "users", "id": name },
            ] });
            let refused = app.post(format!("/api/v2/teams/{id}/relationships/users"))
                .by(&team.admin).json(&body).await.expect(422);
            assert_eq!(refused.code(), "iam.invalid");
        }
        let read = app.get(format!("/api/v2/teams/{id}")).by(&team.admin).await.expect(200);
        assert_eq!(read.attribute("users-count"), 0, "all or nobody");
    }

    async fn what_has_no_effect_is_refused_by_name(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        for (attribute, value) in [
            ("organization-access", json!({ "manage-policies": true })),
            ("sso-team-id", json!("abc")),
            ("visibility", json!("secret")),
            ("allow-member-token-management", json!(false)),
            ("name", json!("")),
            ("name", json!(" sre")),
            ("description", json!("x".repeat(1001))),
        ] {
            let mut attributes = json!({ "name": "sre" });
            attributes[attribute] = value;
            let refused = create(&app, &team, attributes).await.expect(422);
            assert_eq!(refused.pointer(), format!("/data/attributes/{attribute}"));
        }
        let harmless = json!({
            "name": "sre", "visibility": "organization", "allow-member-token-management": true,
            "organization-access": { "manage-policies": false, "manage-vcs-settings": null },
        });
        create(&app, &team, harmless).await.expect(200);
    }

    async fn a_list_is_searched_and_filtered(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        for name in ["sre", "dba", "security"] {
            create(&app, &team, json!({ "name": name })).await.expect(200);
        }
        let list = |query: &str| {
            let path = format!("/api/v2/organizations/{}/teams{query}", team.environment.name);
            app.get(path).by(&team.reader)
        };
        assert_eq!(list("").await.expect(200).each("name"), ["dba", "security", "sre"]);
        assert_eq!(list("?q=S").await.expect(200).each("name"), ["security", "sre"]);
        let named = list("?filter[names]=dba,sre,none").await.expect(200);
        assert_eq!(named.each("name"), ["dba", "sre"]);
        let second = list("?page[size]=2&page[number]=2").await.expect(200);
        assert_eq!(second.each("name"), ["sre"]);
    }

    async fn an_environment_goes_with_its_teams_and_rules(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let id = create(&app, &team, json!({ "name": "sre" })).await.expect(200).id();
        let rule = json!({ "data": {
            "type": "approval-rules", "attributes": { "count": 1 },
            "relationships": { "team": { "data": { "type": "teams", "id": id } } },
        } });
        let environment = format!("/api/v2/organizations/{}", team.environment.name);
        app.post(format!("{environment}/approval-rules")).by(&team.admin).json(&rule)
            .await.expect(201);
        app.delete(format!("/api/v2/workspaces/{}", team.workspace.id)).by(&team.admin)
            .await.expect(204);
        app.delete(&environment).by(&team.admin).await.expect(204);
        app.get(format!("/api/v2/teams/{id}")).by(&team.admin).await.expect(404);
    }
}

async fn create(app: &TestApp, team: &Team, attributes: Value) -> Answer {
    app.post(format!(
        "/api/v2/organizations/{}/teams",
        team.environment.name
    ))
    .by(&team.admin)
    .attributes("teams", attributes)
    .await
}
