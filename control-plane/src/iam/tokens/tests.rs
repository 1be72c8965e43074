//! Tokens of service accounts, teams and environments on both databases, and what doesn't get in.

use std::net::IpAddr;

use chrono::TimeDelta;
use db::Db;
use domain::access::{Role, TokenKind};
use serde_json::{Value, json};
use testkit::both_databases;

use crate::iam::TokenText;
use crate::schema::MIGRATOR;
use crate::testing::{Answer, Team, TestApp, TestUser};

async fn setup(db: Db) -> (TestApp, Team) {
    let app = TestApp::at(db, "2026-03-01T12:00:00Z");
    let team = app.team().await;
    (app, team)
}

/// The text of a new token.
fn text(made: &Answer) -> String {
    made.attribute("token").as_str().unwrap().to_owned()
}

async fn make(app: &TestApp, by: &TestUser, path: &str) -> Answer {
    app.post(path)
        .by(by)
        .attributes("authentication-tokens", json!({}))
        .await
}

async fn service_account(app: &TestApp, team: &Team) -> String {
    let call = app.post("/api/v2/service-accounts").by(&team.admin);
    let attributes = json!({ "name": "deployer" });
    call.attributes("service-accounts", attributes)
        .await
        .expect(201)
        .id()
}

async fn people(app: &TestApp, team: &Team, name: &str) -> String {
    let path = format!("/api/v2/organizations/{}/teams", team.environment.name);
    let call = app.post(path).by(&team.admin);
    call.attributes("teams", json!({ "name": name }))
        .await
        .expect(200)
        .id()
}

async fn grant(app: &TestApp, team: &Team, subject: (&str, &str, &str), role: &str) {
    let (name, kind, id) = subject;
    let body = json!({ "data": { "type": "access-policies", "relationships": {
        name: { "data": { "type": kind, "id": id } },
        "role": { "data": { "type": "roles", "id": role } },
        "workspace": { "data": { "type": "workspaces", "id": team.workspace.id } },
    } } });
    app.post("/api/v2/access-policies")
        .by(&team.admin)
        .json(&body)
        .await
        .expect(201);
}

both_databases! { MIGRATOR;
    async fn a_service_account_does_what_it_is_granted(db: Db) {
        let (app, team) = setup(db).await;
        let id = service_account(&app, &team).await;
        let tokens = format!("/api/v2/service-accounts/{id}/authentication-tokens");
        let made = make(&app, &team.admin, &tokens).await.expect(201);
        let token = text(&made);
        assert!(token.starts_with("trn_service-account_"));
        let workspace = format!("/api/v2/workspaces/{}", team.workspace.id);
        app.get(&workspace).by(&token).await.expect(404);
        grant(&app, &team, ("service-account", "service-accounts", &id), "role-user").await;
        app.get(&workspace).by(&token).await.expect(200);
        let locked = app.post(format!("{workspace}/actions/lock")).by(&token).await.expect(200);
        assert_eq!(locked.attribute("locked"), true);
        let own = app.get("/api/v2/account/details").by(&token).await.expect(200);
        assert_eq!(own.attribute("username"), "deployer");
        assert_eq!(own.attribute("is-service-account"), true);
        // It makes no tokens for itself.
        app.post(&tokens).by(&token).attributes("authentication-tokens", json!({})).await
            .expect(404);

        let path = format!("/api/v2/service-accounts/{id}");
        let disable = |on: bool| app.patch(&path).by(&team.admin)
            .attributes("service-accounts", json!({ "enabled": on }));
        disable(false).await.expect(200);
        app.get(&workspace).by(&token).await.expect(401);
        disable(true).await.expect(200);
        app.get(&workspace).by(&token).await.expect(200);
        let list = app.get(&tokens).by(&team.admin).await.expect(200);
        assert!(!list.text().contains(&token));
        assert!(list.data()[0]["attributes"]["last-used-at"].is_string());
        app.delete(format!("/api/v2/authentication-tokens/{}", made.id())).by(&team.admin).await
            .expect(204);
        app.get(&workspace).by(&token).await.expect(401);
        app.delete(&path).by(&team.admin).await.expect(204);
        for action in ["service-account.create", "service-account.delete", "token.create"] {
            assert_eq!(app.audited(&team.tenant, action).await, 1, "{action}");
        }
    }

    async fn a_teams_token_is_what_the_team_is_granted(db: Db) {
        let (app, team) = setup(db).await;
        let id = people(&app, &team, "sre").await;
        let single = format!("/api/v2/teams/{id}/authentication-token");
        app.get(&single).by(&team.admin).await.expect(404);
        let first = text(&app.post(&single).by(&team.admin).await.expect(201));
        grant(&app, &team, ("team", "teams", &id), "role-read-only").await;
        let workspace = format!("/api/v2/workspaces/{}", team.workspace.id);
        app.get(&workspace).by(&first).await.expect(200);
        app.delete(&workspace).by(&first).await.expect(403);
        // Made anew, the old one is worth nothing; one with a description stays.
        let many = format!("/api/v2/teams/{id}/authentication-tokens");
        let named = text(&app.post(&many).by(&team.admin)
            .attributes("authentication-tokens", json!({ "description": "ci" }))
            .await.expect(201));
        let second = text(&app.post(&single).by(&team.admin).await.expect(201));
        app.get(&workspace).by(&first).await.expect(401);
        app.get(&workspace).by(&second).await.expect(200);
        app.get(&single).by(&team.admin).await.expect(200);
        app.delete(&single).by(&team.admin).await.expect(204);
        app.get(&workspace).by(&second).await.expect(401);
        app.get(&workspace).by(&named).await.expect(200);
        let path = format!("/api/v2/organizations/{}/team-tokens", team.environment.name);
        let list = app.get(&path).by(&team.admin).await.expect(200);
        assert_eq!(list.data().as_array().unwrap().len(), 1);
        app.delete(format!("/api/v2/teams/{id}")).by(&team.admin).await.expect(204);
        app.get(&workspace).by(&named).await.expect(401);
    }

    async fn an_environments_token_sets_it_up_and_runs_nothing(db: Db) {
        let (app, team) = setup(db).await;
        let elsewhere = app.environment(&team.account, "elsewhere").await;
        let path = format!("/api/v2/organizations/{}", team.environment.name);
        let single = format!("{path}/authentication-token");
        let token = text(&app.post(&single).by(&team.admin).await.expect(201));
        let made = app.post(format!("{path}/workspaces")).by(&token)
            .attributes("workspaces", json!({ "name": "made" })).await.expect(201);
        let run = json!({ "data": { "type": "runs", "relationships": { "workspace": {
            "data": { "type": "workspaces", "id": made.id() } } } } });
        app.post("/api/v2/runs").by(&token).json(&run).await.expect(403);
        app.get(format!("/api/v2/organizations/{}", elsewhere.name)).by(&token).await.expect(404);
        app.get("/api/v2/account/details").by(&token).await.expect(200);
        app.delete(&single).by(&team.admin).await.expect(204);
        app.get(&path).by(&token).await.expect(401);
    }

    async fn nobody_gets_the_token_of_one_who_may_more(db: Db) {
        let (app, team) = setup(db).await;
        let keeper = app.post("/api/v2/roles").by(&team.admin)
            .attributes("roles", json!({ "name": "keeper", "permissions": ["teams:*",
                "service-accounts:*", "environments:read", "environments:manage-token"] }))
            .await.expect(201).id();
        let person = app.user(&team.account, Role::Member).await;
        let body = json!({ "data": { "type": "access-policies", "relationships": {
            "user": { "data": { "type": "users", "id": person.id } },
            "role": { "data": { "type": "roles", "id": keeper } } } } });
        app.post("/api/v2/access-policies").by(&team.admin).json(&body).await.expect(201);
        let sre = people(&app, &team, "sre").await;
        grant(&app, &team, ("team", "teams", &sre), "role-user").await;
        let robot = service_account(&app, &team).await;
        grant(&app, &team, ("service-account", "service-accounts", &robot), "role-user").await;
        for path in [
            format!("/api/v2/teams/{sre}/authentication-tokens"),
            format!("/api/v2/teams/{sre}/authentication-token"),
            format!("/api/v2/service-accounts/{robot}/authentication-tokens"),
            format!("/api/v2/organizations/{}/authentication-token", team.environment.name),
        ] {
            let refused = make(&app, &person, &path).await.expect(403);
            assert_eq!(refused.code(), "iam.beyond-own", "{path}");
        }
        let path = format!("/api/v2/service-accounts/{robot}");
        let enable = |by: &TestUser, on: bool| app.patch(&path).by(by)
            .attributes("service-accounts", json!({ "enabled": on }));
        enable(&person, false).await.expect(200);
        assert_eq!(enable(&person, true).await.expect(403).code(), "iam.beyond-own");
        // One that may nothing they may have.
        let idle = people(&app, &team, "idle").await;
        make(&app, &person, &format!("/api/v2/teams/{idle}/authentication-tokens")).await
            .expect(201);
    }

    async fn what_is_no_token_gets_nothing(db: Db) {
        let (app, team) = setup(db).await;
        let good = team.admin.token.clone();
        let mut garbled = good.clone();
        // Each of them is refused in the same words, and none is an error of ours.
        let mut tried = vec![String::new(), "x".repeat(5000), "trn_".to_owned(), good.to_uppercase(),
            good[..good.len() - 1].to_owned(), format!("{good}0"), format!("{good} "),
            "trn_user_%27%20OR%201=1_00000000".to_owned(), hex::encode([0; 32]),
            crate::iam::hash_token(&good)];
        garbled.replace_range(12..13, if &good[12..13] == "a" { "b" } else { "a" });
        tried.push(garbled);
        for kind in TokenKind::ALL {
            tried.push(TokenText::random(*kind).text.expose().clone());
        }
        for token in tried {
            // A trailing space is no part of a token.
            let status = if token.trim() == good { 200 } else { 401 };
            app.get("/api/v2/account/details").by(&token).await.expect(status);
        }
    }

    async fn tokens_live_no_longer_than_the_account_lets_them(db: Db) {
        let (app, team) = setup(db).await;
        let robot = service_account(&app, &team).await;
        let tokens = format!("/api/v2/service-accounts/{robot}/authentication-tokens");
        let before = text(&make(&app, &team.admin, &tokens).await.expect(201));
        let rules = "/api/v2/account/access-rules";
        let change = |attributes: Value| app.patch(rules).by(&team.admin)
            .attributes("access-rules", attributes);
        let wrong = change(json!({ "user-token-days": 0 })).await.expect(422);
        assert_eq!(wrong.pointer(), "/data/attributes/user-token-days");
        change(json!({ "service-account-token-days": 7 })).await.expect(200);
        let late = app.post(&tokens).by(&team.admin)
            .attributes("authentication-tokens", json!({ "expired-at": "2026-03-09T12:00:00Z" }))
            .await.expect(422);
        assert_eq!(late.pointer(), "/data/attributes/expired-at");
        let made = make(&app, &team.admin, &tokens).await.expect(201);
        assert_eq!(made.attribute("expired-at"), "2026-03-08T12:00:00Z");
        app.advance(TimeDelta::days(6));
        app.get("/api/v2/account/details").by(&before).await.expect(200);
        app.advance(TimeDelta::days(2));
        // The rule holds for tokens that were made before it, too; users' have a rule of their own.
        app.get("/api/v2/account/details").by(&before).await.expect(401);
        app.get("/api/v2/account/details").by(text(&made)).await.expect(401);
        app.get("/api/v2/account/details").by(&team.admin).await.expect(200);
        change(json!({ "user-token-days": 8 })).await.expect(200);
        app.get("/api/v2/account/details").by(&team.admin).await.expect(401);
    }

    async fn tokens_work_from_the_networks_that_the_account_lists(db: Db) {
        let (app, team) = setup(db).await;
        let rules = "/api/v2/account/access-rules";
        let (inside, outside): (IpAddr, IpAddr) =
            ("10.1.2.3".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let change = |networks: Value, force: bool, from: IpAddr| app.patch(rules).by(&team.admin)
            .from(from).attributes("access-rules",
                json!({ "allowed-networks": networks, "force": force }));
        let wrong = change(json!(["10.0.0.0/99"]), false, inside).await.expect(422);
        assert_eq!(wrong.pointer(), "/data/attributes/allowed-networks");
        let kept = change(json!(["10.0.0.0/8"]), false, outside).await.expect(409);
        assert_eq!(kept.code(), "iam.would-lock-out");
        change(json!(["10.0.0.0/8"]), false, inside).await.expect(200);

        let run = app.run_in_progress(&team.workspace).await;
        let workspace = format!("/api/v2/workspaces/{}", team.workspace.id);
        for (from, status) in [(inside, 200), (outside, 403)] {
            let answer = app.get(&workspace).by(&team.admin).from(from).await.expect(status);
            if status == 403 {
                assert_eq!(answer.code(), "access.address-not-allowed");
            }
            // Runs are elsewhere, and bound to their jobs.
            app.get(&workspace).by(&run).from(from).await.expect(200);
        }
        // Nothing but the address of the connection counts.
        let forged = http::HeaderName::from_static("x-forwarded-for");
        app.get(&workspace).by(&team.admin).from(outside).header(forged, "10.1.2.3").await
            .expect(403);
        let stranger = app.team().await;
        app.get("/api/v2/account/details").by(&stranger.admin).from(outside).await.expect(200);
        // Who insists gets it, and is out.
        change(json!(["203.0.113.0/24"]), true, inside).await.expect(200);
        app.get(&workspace).by(&team.admin).from(inside).await.expect(403);
    }
}
