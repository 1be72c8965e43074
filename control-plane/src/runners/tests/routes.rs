//! The routes: what they answer, to whom, and what they leave behind.

use db::Db;
use serde_json::{Value, json};

use crate::testing::{Answer, Team, TestApp};

fn pools(team: &Team) -> String {
    format!(
        "/api/v2/organizations/{}/agent-pools",
        team.environment.name
    )
}

async fn create(app: &TestApp, team: &Team, attributes: Value) -> Answer {
    app.post(pools(team))
        .by(&team.admin)
        .attributes("agent-pools", attributes)
        .await
}

async fn setup(db: Db) -> (TestApp, Team, String) {
    let app = TestApp::new(db);
    let team = app.team().await;
    let pool = create(&app, &team, json!({ "name": "far" }))
        .await
        .expect(200)
        .id();
    (app, team, pool)
}

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn a_pool_is_made_listed_changed_and_deleted(db: Db) {
        let (app, team, pool) = setup(db).await;
        let path = format!("/api/v2/agent-pools/{pool}");
        let found = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(found.attribute("name"), "far");
        assert_eq!(found.attribute("minimum-sandbox"), "none");
        assert_eq!(found.attribute("organization-scoped"), true);
        assert_eq!(
            found.data()["relationships"]["organization"]["data"]["id"],
            team.environment.name
        );
        let listed = app.get(pools(&team)).by(&team.reader).await.expect(200);
        assert_eq!(listed.each("name"), ["default", "far"]);
        let searched = app.get(format!("{}?q=FA&page[size]=1", pools(&team)))
            .by(&team.reader).await.expect(200);
        assert_eq!(searched.each("name"), ["default"]);
        assert_eq!(searched.json()["meta"]["pagination"]["total-count"], 2);

        let changed = app.patch(&path).by(&team.admin).attributes("agent-pools", json!({
            "name": "near", "minimum-sandbox": "basic", "refuse-reachable-metadata": true,
        })).await.expect(200);
        assert_eq!(changed.attribute("name"), "near");
        assert_eq!(changed.attribute("minimum-sandbox"), "basic");
        assert_eq!(changed.attribute("refuse-reachable-metadata"), true);

        app.delete(&path).by(&team.admin).await.expect(204);
        app.get(&path).by(&team.admin).await.expect(404);
        assert_eq!(app.get(pools(&team)).by(&team.reader).await.each("name"), ["default"]);
        // Its name is free again.
        create(&app, &team, json!({ "name": "near" })).await.expect(200);
        for (action, times) in
            [("runner-pool.create", 2), ("runner-pool.update", 1), ("runner-pool.delete", 1)]
        {
            assert_eq!(app.audited(&team.tenant, action).await, times, "{action}");
        }
    }

    async fn bad_pools_are_refused_with_a_pointer(db: Db) {
        let (app, team, pool) = setup(db).await;
        for (attributes, pointer) in [
            (json!({}), "/data/attributes/name"),
            (json!({ "name": "far" }), "/data/attributes/name"),
            (json!({ "name": " x" }), "/data/attributes/name"),
            (json!({ "name": "x", "minimum-sandbox": "iron" }), "/data/attributes/minimum-sandbox"),
            (json!({ "name": "x", "organization-scoped": false }),
                "/data/attributes/organization-scoped"),
            (json!({ "name": 3 }), "/data/attributes/name"),
        ] {
            let refused = create(&app, &team, attributes).await.expect(422);
            assert_eq!(refused.pointer(), pointer, "{}", refused.text());
        }
        let narrow = json!({ "data": { "type": "agent-pools", "attributes": {}, "relationships": {
            "allowed-workspaces": { "data": [
                { "type": "workspaces", "id": team.workspace.id.as_str() },
            ] },
        } } });
        let refused = app.patch(format!("/api/v2/agent-pools/{pool}")).by(&team.admin)
            .json(&narrow).await.expect(422);
        assert_eq!(refused.pointer(), "/data/relationships/allowed-workspaces");
        let wrong = app.post(pools(&team)).by(&team.admin)
            .attributes("workspaces", json!({ "name": "x" })).await.expect(422);
        assert_eq!(wrong.pointer(), "/data/type");
        let wrong = app.post(format!("/api/v2/agent-pools/{pool}/authentication-tokens"))
            .by(&team.admin).attributes("agents", json!({})).await.expect(422);
        assert_eq!(wrong.pointer(), "/data/type");
    }

    async fn a_pool_in_use_stays(db: Db) {
        let (app, team, pool) = setup(db).await;
        let path = format!("/api/v2/agent-pools/{pool}");
        let workspace = format!("/api/v2/workspaces/{}", team.workspace.id);
        let bind = |attributes: Value| {
            app.patch(&workspace).by(&team.admin).attributes("workspaces", attributes)
        };
        let alone = bind(json!({ "execution-mode": "agent" })).await.expect(422);
        assert_eq!(alone.pointer(), "/data/attributes/agent-pool-id");
        let both = bind(json!({ "execution-mode": "remote", "agent-pool-id": pool })).await
            .expect(422);
        assert_eq!(both.pointer(), "/data/attributes/agent-pool-id");
        let bound = bind(json!({ "execution-mode": "agent", "agent-pool-id": pool })).await
            .expect(200);
        assert_eq!(bound.attribute("execution-mode"), "agent");
        assert_eq!(bound.data()["relationships"]["agent-pool"]["data"]["id"], pool);
        let users = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(
            users.data()["relationships"]["workspaces"]["data"][0]["id"],
            team.workspace.id.as_str()
        );
        let refused = app.delete(&path).by(&team.admin).await.expect(409);
        assert_eq!(refused.code(), "runners.pool-in-use");

        let freed = bind(json!({ "execution-mode": "remote" })).await.expect(200);
        assert_eq!(freed.data()["relationships"]["agent-pool"]["data"], Value::Null);
        assert_eq!(freed.attribute("execution-mode"), "remote");
        // As a relationship, as newer clients send it.
        let body = json!({ "data": { "type": "workspaces", "attributes": {}, "relationships": {
            "agent-pool": { "data": { "type": "agent-pools", "id": pool } },
        } } });
        let again = app.patch(&workspace).by(&team.admin).json(&body).await.expect(200);
        assert_eq!(again.attribute("execution-mode"), "agent");
        bind(json!({ "agent-pool-id": null })).await.expect(200);
        app.delete(&path).by(&team.admin).await.expect(204);
        let gone = bind(json!({ "execution-mode": "agent", "agent-pool-id": pool })).await
            .expect(422);
        assert_eq!(gone.pointer(), "/data/attributes/agent-pool-id");
    }

    async fn the_default_pool_stays(db: Db) {
        let (app, team, _) = setup(db).await;
        let listed = app.get(pools(&team)).by(&team.reader).await.expect(200);
        let id = listed.data()[0]["id"].as_str().unwrap().to_owned();
        let refused = app.delete(format!("/api/v2/agent-pools/{id}")).by(&team.admin).await
            .expect(409);
        assert_eq!(refused.code(), "runners.default-pool");
    }

    async fn a_join_token_is_shown_once(db: Db) {
        let (app, team, pool) = setup(db).await;
        let path = format!("/api/v2/agent-pools/{pool}/authentication-tokens");
        let made = app.post(&path).by(&team.admin)
            .attributes("agent-tokens", json!({ "description": "for the cluster" })).await
            .expect(201);
        assert_eq!(made.data()["type"], "authentication-tokens");
        let text = made.attribute("token").as_str().unwrap().to_owned();
        assert!(text.starts_with("trj_"));
        assert!(text.ends_with(made.attribute("last-six").as_str().unwrap()));
        assert_eq!(
            made.data()["relationships"]["created-by"]["data"]["id"],
            team.admin.id.as_str()
        );
        let listed = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(listed.each("description"), ["for the cluster"]);
        assert!(!listed.text().contains(&text));
        app.post(&path).by(&team.reader).attributes("agent-tokens", json!({})).await.expect(403);
        let one = format!("/api/v2/authentication-tokens/{}", made.id());
        app.delete(&one).by(&team.reader).await.expect(403);
        app.delete(&one).by(&team.admin).await.expect(204);
        app.get(&one).by(&team.admin).await.expect(404);
        assert_eq!(app.get(&path).by(&team.reader).await.data(), json!([]));
        assert_eq!(app.audited(&team.tenant, "join-token.create").await, 1);
        assert_eq!(app.audited(&team.tenant, "join-token.revoke").await, 1);
        let past = app.post(&path).by(&team.admin)
            .attributes("agent-tokens", json!({ "expired-at": "2001-01-01T00:00:00Z" })).await
            .expect(422);
        assert_eq!(past.pointer(), "/data/attributes/expired-at");
    }

    async fn another_tenant_finds_none_of_it(db: Db) {
        let (app, team, pool) = setup(db).await;
        let stranger = app.team().await;
        let tokens = format!("/api/v2/agent-pools/{pool}/authentication-tokens");
        let token = app.post(&tokens).by(&team.admin).attributes("agent-tokens", json!({})).await
            .expect(201).id();
        let one = format!("/api/v2/agent-pools/{pool}");
        for answer in [
            app.get(&one).by(&stranger.admin).await,
            app.get(pools(&team)).by(&stranger.admin).await,
            app.get(&tokens).by(&stranger.admin).await,
            app.get(format!("{one}/agents")).by(&stranger.admin).await,
            app.get(format!("/api/v2/authentication-tokens/{token}")).by(&stranger.admin).await,
            app.delete(format!("/api/v2/authentication-tokens/{token}")).by(&stranger.admin).await,
            app.delete(&one).by(&stranger.admin).await,
            app.patch(&one).by(&stranger.admin).attributes("agent-pools", json!({})).await,
            app.post(&tokens).by(&stranger.admin).attributes("agent-tokens", json!({})).await,
            app.get("/api/v2/agents/runner-none").by(&stranger.admin).await,
        ] {
            assert_eq!(answer.expect(404).code(), "request.not-found");
        }
        let foreign = app.patch(format!("/api/v2/workspaces/{}", stranger.workspace.id))
            .by(&stranger.admin)
            .attributes("workspaces", json!({ "execution-mode": "agent", "agent-pool-id": pool }))
            .await
            .expect(422);
        assert_eq!(foreign.pointer(), "/data/attributes/agent-pool-id");
    }
}
