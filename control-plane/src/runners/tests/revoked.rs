//! What a revoked runner may still do, over the real gateway.

use db::Db;
use protocol::v1::{
    CompleteRequest, HeartbeatRequest, LeaseRequest, RenewRequest, RunningJob, UploadChunk,
    UploadHead, complete_request, job_directive::Kind,
};
use serde_json::json;
use tonic::Code;

use super::plane::{Plane, TestRunner};
use crate::testing::{Team, TestApp, TestRun};

const STATE: &str = r#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"l",
    "outputs":{},"resources":[]}"#;

/// An apply that the runner holds, with its workspace.
async fn apply_of(app: &TestApp, team: &Team, runner: &TestRunner) -> TestRun {
    let run = app.run_in_progress(&team.workspace).await;
    let mut tx = app.db.begin().await.unwrap();
    let now = tx.database_now().await.unwrap();
    tx.query(
        "UPDATE jobs SET status = 'leased', kind = 'apply', runner_id = $2, epoch = 1,
            lease_expires_at = $3 WHERE id = $1",
    )
    .bind(&run.job)
    .bind(&runner.id)
    .bind(now + chrono::TimeDelta::hours(1))
    .execute()
    .await
    .unwrap();
    tx.query(
        "UPDATE runs SET status = 'applying', plan_status = 'finished', apply_status = 'running'
         WHERE id = $1",
    )
    .bind(&run.id)
    .execute()
    .await
    .unwrap();
    tx.query(
        "UPDATE workspaces SET lock_kind = 'run', lock_holder_id = $2, lock_holder_name = 'a run',
            lock_reason = '', locked_at = $3 WHERE id = $1",
    )
    .bind(&team.workspace.id)
    .bind(&run.id)
    .bind(now)
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
    run
}

fn upload(run: &TestRun, kind: &str) -> UploadChunk {
    UploadChunk {
        head: Some(UploadHead {
            job_id: run.job.to_string(),
            epoch: 1,
            kind: kind.to_owned(),
            size: STATE.len() as u64,
            serial: 1,
            lineage: "l".to_owned(),
            final_state: true,
            recovery: true,
            ..UploadHead::default()
        }),
        offset: 0,
        data: bytes::Bytes::from_static(STATE.as_bytes()),
    }
}

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn a_revoked_runner_delivers_into_quarantine_and_does_nothing_else(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let plane = Plane::start(&app).await;
        let pool = app.post(format!("/api/v2/organizations/{}/agent-pools", team.environment.name))
            .by(&team.admin).attributes("agent-pools", json!({ "name": "far" })).await
            .expect(200).id();
        let token = app.post(format!("/api/v2/agent-pools/{pool}/authentication-tokens"))
            .by(&team.admin).attributes("agent-tokens", json!({})).await.expect(201)
            .attribute("token").as_str().unwrap().to_owned();
        let (runner, idle) =
            (plane.enrol(&token, "one").await.unwrap(), plane.enrol(&token, "two").await.unwrap());
        let run = apply_of(&app, &team, &runner).await;
        for revoked in [&runner, &idle] {
            app.delete(format!("/api/v2/agents/{}", revoked.id)).by(&team.admin).await.expect(204);
        }

        // Who has nothing to deliver gets nothing.
        let refused = plane.recover(&idle).await.err().unwrap();
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");

        let deliverer = plane.recover(&runner).await.unwrap();
        assert_eq!(deliverer.id, runner.id);
        let seen = app.get(format!("/api/v2/runs/{}", run.id)).by(&team.reader).await.expect(200);
        assert_eq!(seen.attribute("status"), "errored");
        assert_eq!(seen.attribute("wait-reason")["code"], "state-uncertain");
        let connection = deliverer.connect().await.unwrap();
        let mut control = connection.control();
        let running = vec![RunningJob { job_id: run.job.to_string(), epoch: 1 }];
        let beat = HeartbeatRequest { sequence: 1, running, free_slots: 1 };
        let answer = control.heartbeat(beat.clone()).await.unwrap().into_inner();
        assert_eq!(answer.directives[0].kind(), Kind::Release);

        let refused = control.lease(LeaseRequest { free_slots: 1 }).await.err().unwrap();
        assert_eq!(refused.code(), Code::PermissionDenied);
        let refused = control.renew(RenewRequest::default()).await.err().unwrap();
        assert_eq!(refused.code(), Code::PermissionDenied);
        let plan = one_chunk(upload(&run, "plan-json"));
        assert_eq!(control.upload(plan).await.err().unwrap().code(), Code::PermissionDenied);

        let stored = control.upload(one_chunk(upload(&run, "state"))).await.unwrap();
        assert_eq!(stored.into_inner().disposition, "quarantined");
        let path = format!("/api/v2/workspaces/{}", team.workspace.id);
        let kept = app.get(format!("{path}/quarantined-states")).by(&team.reader).await.expect(200);
        assert_eq!(kept.data().as_array().unwrap().len(), 1);
        app.get(format!("{path}/current-state-version")).by(&team.reader).await.expect(404);

        let report = CompleteRequest {
            job_id: run.job.to_string(),
            epoch: 1,
            outcome: complete_request::Outcome::Succeeded.into(),
            ..CompleteRequest::default()
        };
        assert!(control.complete(report).await.unwrap().into_inner().accepted);
        // It settles nothing, and ends what the runner may do.
        let locked = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(locked.attribute("locked"), true);
        let answer = control.heartbeat(beat).await.unwrap().into_inner();
        assert_eq!(answer.directives[0].kind(), Kind::Forget);
        let late = control.upload(one_chunk(upload(&run, "state"))).await.err().unwrap();
        assert_eq!(late.code(), Code::FailedPrecondition);
        assert!(plane.recover(&runner).await.is_err());
        assert_eq!(app.audited(&team.tenant, "runner.deliver").await, 1);
        assert_eq!(app.audited(&team.tenant, "state-version.quarantine").await, 1);

        // A person says what is right.
        let state = kept.data()[0]["id"].as_str().unwrap().to_owned();
        app.post(format!("/api/v2/runs/{}/actions/resolve", run.id)).by(&team.admin).await
            .expect(202);
        app.post(format!("{path}/actions/lock")).by(&team.admin).await.expect(200);
        app.post(format!("/api/v2/state-versions/{state}/actions/promote")).by(&team.admin).await
            .expect(200);
        plane.stop().await;
    }
}

fn one_chunk(chunk: UploadChunk) -> impl futures::Stream<Item = UploadChunk> + Send + 'static {
    futures::stream::iter([chunk])
}
