//! Memberships on both databases, through their routes.

use db::Db;
use serde_json::{Value, json};
use testkit::both_databases;

use crate::schema::MIGRATOR;
use crate::testing::{Answer, Team, TestApp};

both_databases! { MIGRATOR;
    async fn somebody_is_added_with_a_password_shown_once(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let made = add(&app, &team, json!({ "email": "ada-l@example.test" })).await.expect(201);
        assert_eq!(made.attribute("status"), "active");
        assert_eq!(made.attribute("username"), "ada-l");
        assert_eq!(made.attribute("role"), "reader");
        assert!(made.attribute("initial-password").as_str().unwrap().len() >= 20);
        let path = format!("/api/v2/organization-memberships/{}", made.id());
        let read = app.get(&path).by(&team.admin).await.expect(200);
        assert_eq!(read.attribute("initial-password"), Value::Null);
        assert_eq!(read.attribute("email"), "ada-l@example.test");
        let seen = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(seen.attribute("email"), Value::Null, "addresses are for administrators");
        let list = app.get(members(&team) + "?include=user&page[size]=2").by(&team.reader)
            .await.expect(200);
        assert_eq!(list.json()["meta"]["pagination"]["total-count"], 3);
        assert_eq!(list.json()["included"].as_array().unwrap().len(), 2);
        let found = app.get(members(&team) + "?q=ADA-L").by(&team.reader).await.expect(200);
        assert_eq!(found.each("username"), ["ada-l"]);
        let again = add(&app, &team, json!({ "email": "ada-l@example.test" })).await.expect(422);
        assert_eq!(again.code(), "iam.username-taken");
        assert_eq!(app.audited(&team.tenant, "user.create").await, 3);
    }

    async fn wrong_values_are_named(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        for (attributes, field) in [
            (json!({}), "email"),
            (json!({ "email": "nobody" }), "email"),
            (json!({ "email": "@host" }), "email"),
            (json!({ "email": "a.b@c.test", "role": "owner" }), "role"),
            (json!({ "email": "a.b@c.test", "username": "a b" }), "username"),
            (json!({ "email": "a.b@c.test", "password": "short" }), "password"),
        ] {
            let refused = add(&app, &team, attributes).await.expect(422);
            assert_eq!(refused.pointer(), format!("/data/attributes/{field}"));
        }
    }

    async fn who_is_removed_is_out_at_once(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let sre = app.post(format!("/api/v2/organizations/{}/teams", team.environment.name))
            .by(&team.admin).attributes("teams", json!({ "name": "sre" })).await.expect(200).id();
        let body = json!({ "data": [{ "type": "users", "id": team.reader.username }] });
        app.post(format!("/api/v2/teams/{sre}/relationships/users")).by(&team.admin).json(&body)
            .await.expect(204);
        let path = |id: &str| {
            format!("/api/v2/organization-memberships/{}", id.replacen("user-", "ou-", 1))
        };
        app.delete(path(team.reader.id.as_str())).by(&team.admin).await.expect(204);
        app.get("/api/v2/account/details").by(&team.reader).await.expect(401);
        let left = app.get(format!("/api/v2/teams/{sre}")).by(&team.admin).await.expect(200);
        assert_eq!(left.attribute("users-count"), 0);
        let own = app.delete(path(team.admin.id.as_str())).by(&team.admin).await.expect(409);
        assert_eq!(own.code(), "iam.own-membership");
        assert_eq!(app.audited(&team.tenant, "user.remove").await, 1);
    }
}

fn members(team: &Team) -> String {
    let name = &team.environment.name;
    format!("/api/v2/organizations/{name}/organization-memberships")
}

async fn add(app: &TestApp, team: &Team, attributes: Value) -> Answer {
    app.post(members(team))
        .by(&team.admin)
        .attributes("organization-memberships", attributes)
        .await
}
