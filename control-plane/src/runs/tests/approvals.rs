//! Approvals of a run: who may give one, when, and what counts.

use db::Db;
use domain::access::Role;
use serde_json::{Value, json};

use crate::testing::{Answer, Team, TestApp, TestUser};

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn approvals_are_counted_and_taken_back(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let run = planned(&app, &team, &team.admin).await;
        rule(&app, &team, json!({ "count": 2 })).await;
        let colleague = app.user(&team.account, Role::Admin).await;
        approve(&app, &run, &colleague).await.expect(201);
        let stands = attribute(&app, &team, &run).await;
        assert_eq!(stands["outstanding"], true);
        assert_eq!(stands["summary"], "waits for 2 approvals (1 given)");
        assert_eq!(stands["required"][0]["by"], json!([colleague.username]));
        let again = approve(&app, &run, &colleague).await.expect(409);
        assert_eq!(again.code(), "approvals.already-given");

        let list = app.get(path(&run)).by(&team.reader).await.expect(200);
        assert_eq!(list.each("comment"), ["read it"]);
        app.delete(path(&run)).by(&colleague).await.expect(204);
        app.delete(path(&run)).by(&colleague).await.expect(404);
        let stands = attribute(&app, &team, &run).await;
        assert_eq!(stands["summary"], "waits for 2 approvals (0 given)");
        assert_eq!(app.audited(&team.tenant, "run.approve").await, 1);
        assert_eq!(app.audited(&team.tenant, "run.withdraw-approval").await, 1);
    }

    async fn the_author_can_not_approve(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        rule(&app, &team, json!({ "count": 1 })).await;
        let run = planned(&app, &team, &team.admin).await;
        let refused = approve(&app, &run, &team.admin).await.expect(409);
        assert_eq!(refused.code(), "approvals.own-run");
    }

    async fn who_confirmed_does_not_count(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        rule(&app, &team, json!({ "count": 1 })).await;
        let run = planned(&app, &team, &team.admin).await;
        let colleague = app.user(&team.account, Role::Admin).await;
        confirmed(&app, &team, &run, &colleague).await;
        let refused = approve(&app, &run, &colleague).await.expect(409);
        assert_eq!(refused.code(), "approvals.own-run");
        let third = app.user(&team.account, Role::Admin).await;
        approve(&app, &run, &third).await.expect(201);
    }

    async fn a_reader_approves_as_a_member_of_the_rules_team_only(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let sre = app
            .post(format!("/api/v2/organizations/{}/teams", team.environment.name))
            .by(&team.admin).attributes("teams", json!({ "name": "sre" })).await.expect(200).id();
        let run = planned(&app, &team, &team.admin).await;
        let users = format!("/api/v2/teams/{sre}/relationships/users");
        let member = json!({ "data": [{ "type": "users", "id": team.reader.username }] });
        app.post(&users).by(&team.admin).json(&member).await.expect(204);
        approve(&app, &run, &team.reader).await.expect(403);

        let body = json!({ "data": {
            "type": "approval-rules", "attributes": { "count": 1 },
            "relationships": { "team": { "data": { "type": "teams", "id": sre } } },
        } });
        app.post(format!("/api/v2/workspaces/{}/approval-rules", team.workspace.id))
            .by(&team.admin).json(&body).await.expect(201);
        let outsider = app.user(&team.account, Role::Reader).await;
        approve(&app, &run, &outsider).await.expect(403);
        let admin = app.user(&team.account, Role::Admin).await;
        approve(&app, &run, &admin).await.expect(201);
        assert_eq!(attribute(&app, &team, &run).await["summary"],
            "waits for 1 approval by team sre (0 given)");
        approve(&app, &run, &team.reader).await.expect(201);
        assert_eq!(attribute(&app, &team, &run).await["outstanding"], false);
        // Who leaves the team no longer counts.
        app.delete(&users).by(&team.admin).json(&member).await.expect(204);
        assert_eq!(attribute(&app, &team, &run).await["outstanding"], true);
    }

    async fn a_run_is_approved_between_plan_and_apply(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let run = app.run_in_progress(&team.workspace).await.id.to_string();
        let early = approve(&app, &run, &team.admin).await.expect(409);
        assert_eq!(early.code(), "approvals.not-open");
        for (status, apply) in
            [("apply_queued", "queued"), ("applied", "finished"), ("discarded", "unreachable")]
        {
            let run = planned(&app, &team, &team.admin).await;
            set(&app, &run, status, apply).await;
            let colleague = app.user(&team.account, Role::Admin).await;
            let late = approve(&app, &run, &colleague).await.expect(409);
            assert_eq!(late.code(), "approvals.not-open", "{status}");
        }
    }

    async fn a_confirmed_run_waits_and_the_last_approval_queues_its_apply(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        rule(&app, &team, json!({ "count": 2 })).await;
        let run = planned(&app, &team, &team.admin).await;
        let action = format!("/api/v2/runs/{run}/actions/apply");
        app.post(&action).by(&team.admin).await.expect(202);
        let waiting = read(&app, &team, &run).await;
        assert_eq!(waiting.attribute("status"), "confirmed");
        assert_eq!(waiting.attribute("wait-reason"),
            json!({ "code": "approval", "detail": "waits for 2 approvals (0 given)" }));
        assert_eq!(waiting.attribute("actions")["is-discardable"], true);
        let (one, two) = (
            app.user(&team.account, Role::Admin).await,
            app.user(&team.account, Role::Admin).await,
        );
        approve(&app, &run, &one).await.expect(201);
        assert_eq!(read(&app, &team, &run).await.attribute("status"), "confirmed");
        approve(&app, &run, &two).await.expect(201);
        let queued = read(&app, &team, &run).await;
        assert_eq!(queued.attribute("status"), "apply_queued");
        assert_eq!(queued.attribute("approvals")["outstanding"], false);
        let late = app.delete(path(&run)).by(&two).await.expect(409);
        assert_eq!(late.code(), "approvals.not-open");
    }

    async fn approved_before_it_is_confirmed_it_does_not_wait(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        rule(&app, &team, json!({ "count": 1 })).await;
        let run = planned(&app, &team, &team.admin).await;
        let colleague = app.user(&team.account, Role::Admin).await;
        approve(&app, &run, &colleague).await.expect(201);
        let action = format!("/api/v2/runs/{run}/actions/apply");
        app.post(&action).by(&team.admin).await.expect(202);
        assert_eq!(read(&app, &team, &run).await.attribute("status"), "apply_queued");
    }

    async fn who_approved_and_then_confirms_does_not_count_any_more(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        rule(&app, &team, json!({ "count": 1 })).await;
        let run = planned(&app, &team, &team.admin).await;
        let colleague = app.user(&team.account, Role::Admin).await;
        approve(&app, &run, &colleague).await.expect(201);
        let action = format!("/api/v2/runs/{run}/actions/apply");
        app.post(&action).by(&colleague).await.expect(202);
        let waiting = read(&app, &team, &run).await;
        assert_eq!(waiting.attribute("status"), "confirmed");
        let third = app.user(&team.account, Role::Admin).await;
        approve(&app, &run, &third).await.expect(201);
        assert_eq!(read(&app, &team, &run).await.attribute("status"), "apply_queued");
    }

    async fn an_approval_taken_back_is_missing_again(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        rule(&app, &team, json!({ "count": 1 })).await;
        let run = planned(&app, &team, &team.admin).await;
        let colleague = app.user(&team.account, Role::Admin).await;
        approve(&app, &run, &colleague).await.expect(201);
        app.delete(path(&run)).by(&colleague).await.expect(204);
        let action = format!("/api/v2/runs/{run}/actions/apply");
        app.post(&action).by(&team.admin).await.expect(202);
        assert_eq!(read(&app, &team, &run).await.attribute("status"), "confirmed");
    }

    async fn a_waiting_run_is_discarded_and_one_whose_rule_is_gone_goes_on(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        rule(&app, &team, json!({ "count": 1 })).await;
        let rules = format!("/api/v2/workspaces/{}/approval-rules", team.workspace.id);
        let id = app.get(&rules).by(&team.admin).await.expect(200).data()[0]["id"]
            .as_str().unwrap().to_owned();
        let thrown = planned(&app, &team, &team.admin).await;
        app.post(format!("/api/v2/runs/{thrown}/actions/apply")).by(&team.admin).await.expect(202);
        app.post(format!("/api/v2/runs/{thrown}/actions/discard")).by(&team.admin)
            .await.expect(202);
        assert_eq!(read(&app, &team, &thrown).await.attribute("status"), "canceled");

        let run = planned(&app, &team, &team.admin).await;
        app.post(format!("/api/v2/runs/{run}/actions/apply")).by(&team.admin).await.expect(202);
        crate::runs::queue::pass(&app).await.unwrap();
        assert_eq!(read(&app, &team, &run).await.attribute("status"), "confirmed");
        app.delete(format!("/api/v2/approval-rules/{id}")).by(&team.admin).await.expect(204);
        crate::runs::queue::pass(&app).await.unwrap();
        assert_eq!(read(&app, &team, &run).await.attribute("status"), "apply_queued");
    }

    async fn two_who_approve_at_once_are_both_counted(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        rule(&app, &team, json!({ "count": 2 })).await;
        let run = planned(&app, &team, &team.admin).await;
        app.post(format!("/api/v2/runs/{run}/actions/apply")).by(&team.admin).await.expect(202);
        let (one, two) = (
            app.user(&team.account, Role::Admin).await,
            app.user(&team.account, Role::Admin).await,
        );
        let (first, second) = tokio::join!(approve(&app, &run, &one), approve(&app, &run, &two));
        first.expect(201);
        second.expect(201);
        assert_eq!(read(&app, &team, &run).await.attribute("status"), "apply_queued");
    }

    async fn a_comment_is_bounded(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let run = planned(&app, &team, &team.admin).await;
        let colleague = app.user(&team.account, Role::Admin).await;
        let long = app.post(path(&run)).by(&colleague)
            .attributes("run-approvals", json!({ "comment": "x".repeat(2001) })).await.expect(422);
        assert_eq!(long.pointer(), "/data/attributes/comment");
    }

    async fn a_dry_run_needs_none(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        rule(&app, &team, json!({ "count": 1 })).await;
        let run = planned(&app, &team, &team.admin).await;
        let mut tx = app.db.begin().await.unwrap();
        tx.query("UPDATE runs SET plan_only = $2 WHERE id = $1").bind(&run).bind(true)
            .execute().await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(attribute(&app, &team, &run).await, Value::Null);
        let colleague = app.user(&team.account, Role::Admin).await;
        approve(&app, &run, &colleague).await.expect(409);
    }
}

fn path(run: &str) -> String {
    format!("/api/v2/runs/{run}/approvals")
}

async fn approve(app: &TestApp, run: &str, user: &TestUser) -> Answer {
    app.post(path(run))
        .by(user)
        .attributes("run-approvals", json!({ "comment": "read it" }))
        .await
}

async fn rule(app: &TestApp, team: &Team, attributes: Value) {
    app.post(format!(
        "/api/v2/workspaces/{}/approval-rules",
        team.workspace.id
    ))
    .by(&team.admin)
    .attributes("approval-rules", attributes)
    .await
    .expect(201);
}

async fn read(app: &TestApp, team: &Team, run: &str) -> Answer {
    let call = app.get(format!("/api/v2/runs/{run}")).by(&team.reader);
    call.await.expect(200)
}

/// The run's attribute `approvals`.
async fn attribute(app: &TestApp, team: &Team, run: &str) -> Value {
    read(app, team, run).await.attribute("approvals")
}

async fn set(app: &TestApp, run: &str, status: &str, apply: &str) {
    let mut tx = app.db.begin().await.unwrap();
    tx.query(
        "UPDATE runs SET status = $2, plan_status = 'finished', apply_status = $3 WHERE id = $1",
    )
    .bind(run)
    .bind(status)
    .bind(apply)
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

/// A run of the author's whose plan is ready.
async fn planned(app: &TestApp, team: &Team, author: &TestUser) -> String {
    let run = app.run_in_progress(&team.workspace).await.id.to_string();
    set(app, &run, "planned", "pending").await;
    let mut tx = app.db.begin().await.unwrap();
    tx.query("UPDATE runs SET created_by_kind = 'user', created_by_id = $2 WHERE id = $1")
        .bind(&run)
        .bind(&author.id)
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    run
}

/// As if `user` had confirmed the run.
async fn confirmed(app: &TestApp, team: &Team, run: &str, user: &TestUser) {
    set(app, run, "confirmed", "pending").await;
    let mut tx = app.db.begin().await.unwrap();
    tx.query(
        "INSERT INTO run_events (id, account_id, run_id, position, action, to_status, actor_kind,
            actor_id, actor_name, created_at)
         VALUES ($1, $2, $3, 1, 'confirm', 'confirmed', 'user', $4, 'x', $5)",
    )
    .bind(domain::ids::RunEventId::random())
    .bind(team.tenant.account())
    .bind(run)
    .bind(&user.id)
    .bind(app.clock.now())
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
}
