//! What pools and revocation mean to runners that are there.

use std::time::Duration;

use chrono::TimeDelta;
use db::Db;
use protocol::v1::lease_event::Event;
use serde_json::json;
use tonic::Code;

use super::plane::{Plane, TestRunner, lease};
use crate::testing::{Answer, Team, TestApp};

/// Long enough for any machine; nothing waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(60);

async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen"))
}

async fn pool(app: &TestApp, team: &Team, attributes: serde_json::Value) -> String {
    app.post(format!(
        "/api/v2/organizations/{}/agent-pools",
        team.environment.name
    ))
    .by(&team.admin)
    .attributes("agent-pools", attributes)
    .await
    .expect(200)
    .id()
}

async fn token(app: &TestApp, team: &Team, pool: &str, attributes: serde_json::Value) -> Answer {
    app.post(format!("/api/v2/agent-pools/{pool}/authentication-tokens"))
        .by(&team.admin)
        .attributes("agent-tokens", attributes)
        .await
        .expect(201)
}

fn text(made: &Answer) -> String {
    made.attribute("token").as_str().unwrap().to_owned()
}

/// A run's plan waits in the queue of `pool`.
async fn queue_job(app: &TestApp, team: &Team, pool: &str) -> String {
    let run = app.run_in_progress(&team.workspace).await;
    let mut tx = app.db.begin().await.unwrap();
    tx.query("UPDATE jobs SET status = 'queued', pool_id = $2 WHERE id = $1")
        .bind(&run.job)
        .bind(pool)
        .execute()
        .await
        .unwrap();
    tx.query("UPDATE runs SET status = 'plan_queued' WHERE id = $1")
        .bind(&run.id)
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    app.signals.dispatch.wake();
    run.job.to_string()
}

async fn agent(app: &TestApp, team: &Team, runner: &TestRunner) -> Answer {
    app.get(format!("/api/v2/agents/{}", runner.id))
        .by(&team.reader)
        .await
}

/// The attribute of a runner, once it is that.
async fn becomes(app: &TestApp, team: &Team, runner: &TestRunner, name: &str, value: &str) {
    soon("the runner's status", async {
        while agent(app, team, runner).await.expect(200).attribute(name) != value {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn a_revoked_runner_is_cut_off_and_stays_out(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let plane = Plane::start(&app).await;
        let pool = pool(&app, &team, json!({ "name": "far" })).await;
        let made = token(&app, &team, &pool, json!({ "description": "all" })).await;
        let runner = plane.enrol(&text(&made), "one").await.unwrap();
        let other = plane.enrol(&text(&made), "two").await.unwrap();
        let connection = runner.connect().await.unwrap();
        let mut stream = lease(&connection).await;
        let bystander = other.connect().await.unwrap();
        becomes(&app, &team, &runner, "status", "idle").await;
        assert_eq!(app.audited(&team.tenant, "runner.join").await, 2);

        let path = format!("/api/v2/agents/{}", runner.id);
        app.delete(&path).by(&team.admin).await.expect(204);

        soon("the end of its stream", async {
            while let Ok(Some(_)) = stream.message().await {}
        })
        .await;
        soon("the end of its connection", connection.closed()).await;
        assert!(runner.connect().await.is_err());
        app.get(&path).by(&team.admin).await.expect(404);
        app.delete(&path).by(&team.admin).await.expect(404);
        assert_eq!(app.audited(&team.tenant, "runner.revoke").await, 1);
        // The other one was left alone.
        lease(&bystander).await;
        other.connect().await.unwrap();
        plane.stop().await;
    }

    async fn a_token_is_good_until_it_is_revoked_used_up_or_expired(db: Db) {
        let app = TestApp::at(db, "2031-05-01T12:00:00Z");
        let team = app.team().await;
        // The clock stands still, certificates are checked by the machine's: enrolment only.
        let authority = crate::runners::Authority::load(&app).await.unwrap();
        let pool = pool(&app, &team, json!({ "name": "far" })).await;
        let join = async |made: &Answer| {
            let token = link::join::JoinToken::parse(&text(made)).unwrap();
            let joining = crate::runners::Joining {
                token_hash: hex::encode(token.secret_hash()),
                csr_der: link::ca::generate_key_and_csr().unwrap().csr_der,
                name: "one".to_owned(),
                labels: std::collections::BTreeMap::new(),
                software: "test".to_owned(),
            };
            crate::runners::enroll(&app, &authority, joining).await.is_ok()
        };
        let many = token(&app, &team, &pool, json!({ "description": "many" })).await;
        assert!(join(&many).await && join(&many).await);
        let read = app.get(format!("/api/v2/authentication-tokens/{}", many.id()))
            .by(&team.reader).await.expect(200);
        assert_eq!(read.attribute("token"), serde_json::Value::Null);
        assert_eq!(read.attribute("last-used-at"), "2031-05-01T12:00:00Z");
        app.delete(format!("/api/v2/authentication-tokens/{}", many.id()))
            .by(&team.admin).await.expect(204);
        assert!(!join(&many).await);

        let once = token(&app, &team, &pool, json!({ "single-use": true })).await;
        assert!(join(&once).await);
        assert!(!join(&once).await);

        let brief = token(&app, &team, &pool, json!({
            "single-use": true, "expired-at": "2031-05-01T13:00:00Z",
        })).await;
        app.advance(TimeDelta::hours(1));
        assert!(!join(&brief).await);
        assert_eq!(app.audited(&team.tenant, "runner.join").await, 6);
    }

    async fn a_bad_token_is_told_so_over_the_gateway(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let plane = Plane::start(&app).await;
        let pool = pool(&app, &team, json!({ "name": "far" })).await;
        let made = token(&app, &team, &pool, json!({ "single-use": true })).await;
        plane.enrol(&text(&made), "one").await.unwrap();
        let refused = plane.enrol(&text(&made), "two").await.err().unwrap();
        assert_eq!(refused.code(), Code::Unauthenticated);
        assert!(refused.message().contains("used up"), "{refused}");
        plane.stop().await;
    }

    async fn jobs_go_to_runners_that_meet_the_demands_of_their_pool(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let plane = Plane::start(&app).await;
        let pool = pool(&app, &team, json!({
            "name": "strict", "minimum-sandbox": "strong", "refuse-reachable-metadata": true,
        })).await;
        let made = token(&app, &team, &pool, json!({})).await;
        let weak = plane.enrol(&text(&made), "weak").await.unwrap();
        let open = plane.enrol(&text(&made), "open").await.unwrap();
        let fit = plane.enrol(&text(&made), "fit").await.unwrap();
        let weak_connection = weak.connect_with("basic", true).await.unwrap();
        let open_connection = open.connect_with("strong", false).await.unwrap();
        let _weak_stream = lease(&weak_connection).await;
        let _open_stream = lease(&open_connection).await;
        becomes(&app, &team, &weak, "status", "idle").await;
        becomes(&app, &team, &open, "status", "idle").await;
        assert_eq!(agent(&app, &team, &weak).await.attribute("meets-demands"), false);
        assert_eq!(agent(&app, &team, &open).await.attribute("meets-demands"), false);

        let job = queue_job(&app, &team, &pool).await;
        let fit_connection = fit.connect().await.unwrap();
        let mut stream = lease(&fit_connection).await;
        let offered = soon("an offer", stream.message()).await.unwrap().unwrap();
        let Some(Event::Offer(offer)) = offered.event else {
            panic!("{offered:?}");
        };
        // Of three free runners it was the last that came.
        assert_eq!(offer.job_id, job);
        assert_eq!(agent(&app, &team, &fit).await.attribute("status"), "busy");
        plane.stop().await;
    }
}
