//! Rules on both databases, through their routes.

use db::Db;
use domain::ids::RunId;
use serde_json::{Value, json};
use testkit::both_databases;

use super::{RunFacts, standing};
use crate::schema::MIGRATOR;
use crate::testing::{Answer, Team, TestApp};

both_databases! { MIGRATOR;
    async fn a_rule_is_made_read_changed_and_deleted(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let sre = people(&app, &team, "sre").await;
        let made = rule(&app, &team, &environment(&team), json!({ "count": 2 }), Some(&sre))
            .await.expect(201);
        assert_eq!(made.attribute("applies-to"), "all");
        assert_eq!(made.attribute("scope"), "environment");
        assert_eq!(made.attribute("team-name"), "sre");
        let path = format!("/api/v2/approval-rules/{}", made.id());
        let body = json!({ "data": {
            "type": "approval-rules", "attributes": { "applies-to": "destroys" },
            "relationships": { "team": { "data": null } },
        } });
        app.patch(&path).by(&team.admin).json(&body).await.expect(200);
        let read = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(read.attribute("count"), 2, "what is not named stays");
        assert_eq!(read.attribute("applies-to"), "destroys");
        assert_eq!(read.data()["relationships"]["team"]["data"], Value::Null);
        app.delete(&path).by(&team.admin).await.expect(204);
        app.get(&path).by(&team.admin).await.expect(404);
        for action in ["create", "update", "delete"] {
            let action = format!("approval-rule.{action}");
            assert_eq!(app.audited(&team.tenant, &action).await, 1, "{action}");
        }
    }

    async fn a_workspace_inherits(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        rule(&app, &team, &workspace(&team), json!({ "count": 3 }), None).await.expect(201);
        rule(&app, &team, &environment(&team), json!({ "count": 1 }), None).await.expect(201);
        let counts = |list: Answer| -> Vec<i64> {
            let data = list.data();
            data.as_array().unwrap().iter()
                .map(|it| it["attributes"]["count"].as_i64().unwrap()).collect()
        };
        let inherited = app.get(workspace(&team)).by(&team.reader).await.expect(200);
        assert_eq!(counts(inherited), [1, 3]);
        let own = app.get(environment(&team)).by(&team.reader).await.expect(200);
        assert_eq!(counts(own), [1]);
        let other = app.workspace(&team.environment, "other").await;
        let path = format!("/api/v2/workspaces/{}/approval-rules", other.id);
        assert_eq!(counts(app.get(path).by(&team.reader).await.expect(200)), [1]);
    }

    async fn wrong_values_are_named(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        for (attributes, field) in [
            (json!({ "count": 0 }), "count"),
            (json!({ "count": 11 }), "count"),
            (json!({ "count": -1 }), "count"),
            (json!({ "count": "two" }), "count"),
            (json!({ "applies-to": "some" }), "applies-to"),
        ] {
            let refused = rule(&app, &team, &workspace(&team), attributes, None).await.expect(422);
            assert_eq!(refused.pointer(), format!("/data/attributes/{field}"));
        }
    }

    async fn a_team_must_be_of_the_environment(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let stranger = app.team().await;
        let foreign = people(&app, &stranger, "sre").await;
        let elsewhere = app.environment(&team.account, "elsewhere-rules").await;
        let neighbour = app
            .post(format!("/api/v2/organizations/{}/teams", elsewhere.name)).by(&team.admin)
            .attributes("teams", json!({ "name": "sre" })).await.expect(200).id();
        for other in [foreign.as_str(), &neighbour, "team-none", "nonsense"] {
            let refused = rule(&app, &team, &environment(&team), json!({}), Some(other))
                .await.expect(422);
            assert_eq!(refused.pointer(), "/data/relationships/team");
        }
    }

    async fn a_team_that_a_rule_names_stays(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let sre = people(&app, &team, "sre").await;
        let made = rule(&app, &team, &workspace(&team), json!({}), Some(&sre)).await.expect(201);
        let path = format!("/api/v2/teams/{sre}");
        let refused = app.delete(&path).by(&team.admin).await.expect(409);
        assert_eq!(refused.code(), "iam.team-in-use");
        app.delete(format!("/api/v2/approval-rules/{}", made.id())).by(&team.admin)
            .await.expect(204);
        app.delete(&path).by(&team.admin).await.expect(204);
    }

    async fn rules_are_bounded(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        for _ in 0..20 {
            rule(&app, &team, &workspace(&team), json!({}), None).await.expect(201);
        }
        let refused = rule(&app, &team, &workspace(&team), json!({}), None).await.expect(422);
        assert_eq!(refused.code(), "approvals.too-many-rules");
        rule(&app, &team, &environment(&team), json!({}), None).await.expect(201);
    }

    async fn destroys_are_told_apart(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let only = json!({ "count": 4, "applies-to": "destroys" });
        rule(&app, &team, &workspace(&team), only, None).await.expect(201);
        let run = RunId::random();
        let mut conn = app.db.acquire().await.unwrap();
        for (is_destroy, needed) in [(false, None), (true, Some(4))] {
            let facts = RunFacts {
                run: &run,
                environment: &team.environment.id,
                project: &team.workspace.project_id,
                workspace: &team.workspace.id,
                is_destroy,
                authors: &[],
                extra_required: 0,
            };
            let found = standing(&mut conn, &team.tenant, &facts).await.unwrap();
            assert_eq!(found.outstanding, is_destroy);
            assert_eq!(found.required.first().map(|it| it.needed), needed);
        }
    }
}

fn environment(team: &Team) -> String {
    format!(
        "/api/v2/organizations/{}/approval-rules",
        team.environment.name
    )
}

fn workspace(team: &Team) -> String {
    format!("/api/v2/workspaces/{}/approval-rules", team.workspace.id)
}

/// A team with nobody in it.
async fn people(app: &TestApp, team: &Team, name: &str) -> String {
    app.post(format!(
        "/api/v2/organizations/{}/teams",
        team.environment.name
    ))
    .by(&team.admin)
    .attributes("teams", json!({ "name": name }))
    .await
    .expect(200)
    .id()
}

async fn rule(
    app: &TestApp,
    team: &Team,
    path: &str,
    attributes: Value,
    of_team: Option<&str>,
) -> Answer {
    let mut data = json!({ "type": "approval-rules", "attributes": attributes });
    if let Some(id) = of_team {
        data["relationships"] = json!({ "team": { "data": { "type": "teams", "id": id } } });
    }
    app.post(path)
        .by(&team.admin)
        .json(&json!({ "data": data }))
        .await
}
