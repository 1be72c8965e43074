//! Searching the log.

use chrono::TimeDelta;
use db::Db;
use testkit::both_databases;

use super::*;
use crate::schema::MIGRATOR;

async fn found(app: &TestApp, team: &Team, query: &str) -> Vec<String> {
    let path = format!("/api/v2/audit-records?page[size]=100&{query}");
    app.get(path)
        .by(&team.admin)
        .await
        .expect(200)
        .each("action")
}

both_databases! { MIGRATOR;
    async fn records_are_found_by_what_they_say(db: Db) {
        let app = TestApp::at(db, "2026-05-01T12:00:00Z");
        let team = app.team().await;
        let neighbour = app.team().await;
        app.advance(TimeDelta::days(1));
        deeds(&app, &team, 2).await;
        deeds(&app, &neighbour, 1).await;
        app.advance(TimeDelta::days(1));
        let path = format!("/api/v2/workspaces/{}/actions/lock", team.workspace.id);
        let from = "203.0.113.9".parse().unwrap();
        let locked = app.post(&path).by(&team.admin).from(from).json(&json!({ "reason": "mine" }))
            .await.expect(200);
        app.post(&path).by(&team.reader).await.expect(403);

        let list = app.get("/api/v2/audit-records?page[size]=2").by(&team.admin).await.expect(200);
        let first = list.data()[1]["attributes"].clone();
        let actions = list.each("action");
        let locks = ["workspace.lock", "workspaces:lock"];
        assert!(actions.iter().all(|it| locks.contains(&it.as_str())), "newest first: {actions:?}");
        assert_eq!(list.json()["meta"]["pagination"]["page-size"], 2);
        let lock = app.get("/api/v2/audit-records?filter[action]=workspace.lock").by(&team.admin)
            .await.expect(200);
        let lock = lock.data()[0].clone();
        let attributes = &lock["attributes"];
        assert_eq!(attributes["actor"]["kind"], "user");
        assert_eq!(attributes["actor"]["id"], team.admin.id.as_str());
        assert_eq!(attributes["actor"]["name"], team.admin.username.as_str());
        let end = &team.admin.token[team.admin.token.len() - 6..];
        assert_eq!(attributes["actor"]["token-last-six"], end);
        assert_eq!(attributes["target"]["type"], "workspaces");
        assert_eq!(attributes["target"]["id"], team.workspace.id.as_str());
        assert_eq!(attributes["environment-name"], team.environment.name.as_str());
        assert_eq!(attributes["workspace-name"], team.workspace.name.as_str());
        assert_eq!(attributes["source-address"], "203.0.113.9");
        let id = locked.header(http::HeaderName::from_static("x-request-id")).to_owned();
        assert_eq!(attributes["request-id"], id.as_str());
        assert!(first["at"].as_str().unwrap().ends_with('Z'));

        let one = format!("/api/v2/audit-records/{}", lock["id"].as_str().unwrap());
        app.get(&one).by(&team.admin).await.expect(200);
        app.get(&one).by(&team.reader).await.expect(403);
        app.get(&one).by(&neighbour.admin).await.expect(404);

        let (variable, lock) = ("variable.create", "workspace.lock");
        assert_eq!(found(&app, &team, "filter[action]=variable.create").await, [variable; 2]);
        for (query, expected) in [
            (format!("filter[request-id]={id}"), vec![lock]),
            ("filter[outcome]=denied".to_owned(), vec!["workspaces:lock"; 1]),
            (format!("filter[actor]={}", team.reader.username), vec!["workspaces:lock"]),
            (format!("filter[target]={}&filter[outcome]=done&filter[since]=2026-05-03",
                team.workspace.id), vec![lock]),
            (format!("filter[workspace]={}&filter[until]=2026-05-02&filter[since]=2026-05-02",
                team.workspace.name), vec![variable; 2]),
            (format!("filter[environment]={}&filter[since]=2026-05-03T00:00:00Z&filter[outcome]=done",
                team.environment.name), vec![lock]),
            (format!("filter[environment]={}&filter[action]=workspace.lock",
                team.environment.id), vec![lock]),
            ("filter[actor-kind]=run".to_owned(), vec![]),
            ("filter[target-type]=nothing".to_owned(), vec![]),
        ] {
            let mut denials = found(&app, &team, &query).await;
            // The reader was refused the record above too.
            denials.retain(|it| it != "audit:read");
            assert_eq!(denials, expected, "{query}");
        }
        app.get("/api/v2/audit-records?filter[since]=soon").by(&team.admin).await.expect(400);
    }

    async fn clients_of_tfe_read_the_trail(db: Db) {
        let app = TestApp::at(db, "2026-05-01T12:00:00Z");
        let team = app.team().await;
        app.advance(TimeDelta::days(1));
        deeds(&app, &team, 3).await;
        let path = "/api/v2/organization/audit-trail?since=2026-05-02T00:00:00.000Z&page[size]=2";
        let page = app.get(path).by(&team.admin).await.expect(200).json();
        assert_eq!(page["data"].as_array().unwrap().len(), 2);
        let event = &page["data"][0];
        assert_eq!(event["type"], "Resource");
        assert_eq!(event["timestamp"], "2026-05-02T12:00:00.000Z");
        assert_eq!(event["auth"]["accessor_id"], team.admin.id.as_str());
        assert_eq!(event["auth"]["organization_id"], team.account.id.as_str());
        assert_eq!(event["resource"]["action"], "create");
        assert_eq!(page["pagination"]["total_count"], 3);
        assert_eq!(page["pagination"]["next_page"], 2);
        app.get(path).by(&team.reader).await.expect(403);
    }
}
