//! A saved plan whose state is no longer the workspace's is never applied.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use db::{Db, Json};
use serde_json::{Value, json};

use crate::testing::{Team, TestApp, TestRun};

/// A saved plan that is ready, made now.
async fn saved_plan(app: &TestApp, team: &Team, status: &str) -> TestRun {
    let run = app.run_in_progress(&team.workspace).await;
    let request = json!({
        "message": "", "is_destroy": false, "refresh": true, "refresh_only": false,
        "target_addrs": [], "replace_addrs": [], "save_plan": true, "auto_apply": false,
        "allow_empty_apply": false, "allow_config_generation": false, "structured_log": false,
        "needs_fetch": false,
    });
    let mut tx = app.db.begin().await.unwrap();
    tx.query(
        "UPDATE runs SET status = $2, plan_status = 'finished', request = $3, plan_result = $4,
            timestamps = $5 WHERE id = $1",
    )
    .bind(&run.id)
    .bind(status)
    .bind(Json(request))
    .bind(Json(json!({ "has_changes": true })))
    .bind(Json(json!({ "planning-at": app.clock.now() })))
    .execute()
    .await
    .unwrap();
    tx.query("UPDATE jobs SET status = 'finished' WHERE id = $1")
        .bind(&run.job)
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    run
}

async fn push(app: &TestApp, team: &Team, serial: i64) {
    let path = format!("/api/v2/workspaces/{}", team.workspace.id);
    let content = json!({
        "version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": "stale",
        "outputs": {}, "resources": [],
    });
    app.post(format!("{path}/actions/lock"))
        .by(&team.admin)
        .await
        .expect(200);
    app.post(format!("{path}/state-versions"))
        .by(&team.admin)
        .attributes(
            "state-versions",
            json!({ "state": STANDARD.encode(content.to_string()) }),
        )
        .await
        .expect(201);
    app.post(format!("{path}/actions/unlock"))
        .by(&team.admin)
        .await
        .expect(200);
}

async fn status(app: &TestApp, team: &Team, run: &TestRun) -> Value {
    let found = app
        .get(format!("/api/v2/runs/{}", run.id))
        .by(&team.reader)
        .await
        .expect(200);
    found.attribute("status")
}

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn a_pushed_state_makes_a_saved_plan_stale(db: Db) {
        let app = TestApp::at(db, "2031-05-01T12:00:00Z");
        let team = app.team().await;
        push(&app, &team, 1).await;
        app.advance(TimeDelta::minutes(1));
        let run = saved_plan(&app, &team, "planned_and_saved").await;
        let apply = format!("/api/v2/runs/{}/actions/apply", run.id);
        app.advance(TimeDelta::minutes(1));
        push(&app, &team, 2).await;

        let refused = app.post(&apply).by(&team.admin).await.expect(409);
        assert_eq!(refused.code(), "runs.plan-stale");
        assert!(refused.text().contains("newer state"), "{}", refused.text());
        assert_eq!(status(&app, &team, &run).await, "discarded");
        assert_eq!(app.post(&apply).by(&team.admin).await.expect(409).code(),
            "runs.not-in-this-status");
    }

    async fn a_plan_of_the_current_state_is_applied(db: Db) {
        let app = TestApp::at(db, "2031-05-01T12:00:00Z");
        let team = app.team().await;
        push(&app, &team, 1).await;
        app.advance(TimeDelta::minutes(1));
        let run = saved_plan(&app, &team, "planned_and_saved").await;
        let apply = format!("/api/v2/runs/{}/actions/apply", run.id);
        app.post(&apply).by(&team.admin).await.expect(202);
        assert_eq!(status(&app, &team, &run).await, "apply_queued");
    }

    async fn a_state_pushed_while_a_confirmed_plan_waits_makes_it_stale(db: Db) {
        let app = TestApp::at(db, "2031-05-01T12:00:00Z");
        let team = app.team().await;
        let run = saved_plan(&app, &team, "confirmed").await;
        app.advance(TimeDelta::minutes(1));
        push(&app, &team, 1).await;
        crate::runs::queue::pass(&app).await.unwrap();
        assert_eq!(status(&app, &team, &run).await, "canceled");
    }
}
