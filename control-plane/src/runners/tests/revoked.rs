//! What a revoked runner may still do, over the real gateway.

use db::Db;
use protocol::v1::{
    AcknowledgeRequest, CompleteRequest, DownloadRequest, HeartbeatRequest, LeaseRequest, LogChunk,
    LogOffsetRequest, ProgressRequest, RelayRequest, RenewCredentialsRequest, RenewRequest,
    RunningJob, UploadChunk, UploadHead, complete_request, job_directive::Kind,
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
        "UPDATE runs SET status = 'applying', plan_status = 'finished', apply_status = 'running',
            holds_workspace = TRUE WHERE id = $1",
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

fn report(run: &TestRun) -> CompleteRequest {
    CompleteRequest {
        job_id: run.job.to_string(),
        epoch: 1,
        outcome: complete_request::Outcome::Succeeded.into(),
        ..CompleteRequest::default()
    }
}

fn beat(runs: &[&TestRun]) -> HeartbeatRequest {
    let running = runs.iter().map(|run| RunningJob {
        job_id: run.job.to_string(),
        epoch: 1,
    });
    HeartbeatRequest {
        sequence: 1,
        running: running.collect(),
        free_slots: 1,
    }
}

/// A team with a gateway, and the token of a pool.
struct Stage {
    app: TestApp,
    team: Team,
    plane: Plane,
    token: String,
}

impl Stage {
    async fn set(db: Db) -> Self {
        let app = TestApp::new(db);
        let team = app.team().await;
        let plane = Plane::start(&app).await;
        let environment = &team.environment.name;
        let pool = app
            .post(format!("/api/v2/organizations/{environment}/agent-pools"))
            .by(&team.admin)
            .attributes("agent-pools", json!({ "name": "far" }))
            .await
            .expect(200)
            .id();
        let token = app
            .post(format!("/api/v2/agent-pools/{pool}/authentication-tokens"))
            .by(&team.admin)
            .attributes("agent-tokens", json!({}))
            .await
            .expect(201)
            .attribute("token")
            .as_str()
            .unwrap()
            .to_owned();
        Self {
            app,
            team,
            plane,
            token,
        }
    }

    async fn revoke(&self, runner: &TestRunner) {
        let path = format!("/api/v2/agents/{}", runner.id);
        self.app.delete(path).by(&self.team.admin).await.expect(204);
    }

    /// As if the last certificate for deliveries had been given long ago.
    async fn wait_for_another_certificate(&self) {
        let mut tx = self.app.db.begin().await.unwrap();
        tx.query("UPDATE runners SET delivery_issued_at = NULL")
            .execute()
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn kept(&self) -> Vec<serde_json::Value> {
        let path = format!(
            "/api/v2/workspaces/{}/quarantined-states",
            self.team.workspace.id
        );
        let kept = self.app.get(path).by(&self.team.reader).await.expect(200);
        kept.data().as_array().unwrap().clone()
    }
}

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn a_revoked_runner_delivers_into_quarantine_only(db: Db) {
        let stage = Stage::set(db).await;
        let Stage { app, team, plane, token } = &stage;
        let runner = plane.enrol(token, "one").await.unwrap();
        let run = apply_of(app, team, &runner).await;
        stage.revoke(&runner).await;

        let deliverer = plane.recover(&runner).await.unwrap();
        assert_eq!(deliverer.id, runner.id);
        let seen = app.get(format!("/api/v2/runs/{}", run.id)).by(&team.reader).await.expect(200);
        assert_eq!(seen.attribute("status"), "errored");
        assert_eq!(seen.attribute("wait-reason")["code"], "state-uncertain");
        let connection = deliverer.connect().await.unwrap();
        let mut control = connection.control();
        let answer = control.heartbeat(beat(&[&run])).await.unwrap().into_inner();
        assert_eq!(answer.directives[0].kind(), Kind::Release);

        let stored = control.upload(one_chunk(upload(&run, "state"))).await.unwrap();
        assert_eq!(stored.into_inner().disposition, "quarantined");
        let kept = stage.kept().await;
        assert_eq!(kept.len(), 1);
        let path = format!("/api/v2/workspaces/{}", team.workspace.id);
        app.get(format!("{path}/current-state-version")).by(&team.reader).await.expect(404);

        // Its report settles nothing, and makes nobody who has its key too forget anything.
        for _ in 0..2 {
            assert!(control.complete(report(&run)).await.unwrap().into_inner().accepted);
            let locked = app.get(&path).by(&team.reader).await.expect(200);
            assert_eq!(locked.attribute("locked"), true);
            let answer = control.heartbeat(beat(&[&run])).await.unwrap().into_inner();
            assert_eq!(answer.directives[0].kind(), Kind::Release);
            let again = control.upload(one_chunk(upload(&run, "state"))).await.unwrap();
            assert_eq!(again.into_inner().disposition, "quarantined");
        }
        assert_eq!(stage.kept().await.len(), 1, "sent again, kept once");
        assert_eq!(app.audited(&team.tenant, "runner.deliver").await, 1);
        assert_eq!(app.audited(&team.tenant, "state-version.quarantine").await, 1);
        assert_eq!(app.audited(&team.tenant, "state-version.create").await, 0);

        // A person says what is right.
        let state = kept[0]["id"].as_str().unwrap();
        app.post(format!("/api/v2/runs/{}/actions/resolve", run.id)).by(&team.admin).await
            .expect(202);
        app.post(format!("{path}/actions/lock")).by(&team.admin).await.expect(200);
        app.post(format!("/api/v2/state-versions/{state}/actions/promote")).by(&team.admin).await
            .expect(200);
        stage.plane.stop().await;
    }

    async fn a_certificate_for_deliveries_is_good_for_nothing_else(db: Db) {
        let stage = Stage::set(db).await;
        let Stage { app, team, plane, token } = &stage;
        let runner = plane.enrol(token, "one").await.unwrap();
        let run = apply_of(app, team, &runner).await;
        // Of the same account, and of another one: neither is this runner's.
        let other = plane.enrol(token, "two").await.unwrap();
        let workspace = app.workspace(&team.environment, "beside").await;
        let (beside, stranger) = (Team { workspace, ..team.clone() }, app.team().await);
        let others = apply_of(app, &beside, &other).await;
        let foreign = app.run_in_progress(&stranger.workspace).await;
        stage.revoke(&runner).await;
        let deliverer = plane.recover(&runner).await.unwrap();
        let connection = deliverer.connect().await.unwrap();
        let mut control = connection.control();

        let job_id = run.job.to_string();
        let denied = |status: Option<tonic::Status>| {
            assert_eq!(status.unwrap().code(), Code::PermissionDenied);
        };
        denied(control.lease(LeaseRequest { free_slots: 1 }).await.err());
        let take = AcknowledgeRequest { job_id: job_id.clone(), epoch: 1 };
        denied(control.acknowledge(take).await.err());
        let csr = link::ca::generate_key_and_csr().unwrap().csr_der;
        denied(control.renew(RenewRequest { csr_der: csr.into() }).await.err());
        let ask = RenewCredentialsRequest { job_id: job_id.clone(), epoch: 1 };
        denied(control.renew_credentials(ask).await.err());
        for kind in ["state", "configuration", "plan-archive"] {
            let ask = DownloadRequest {
                job_id: job_id.clone(), epoch: 1, kind: kind.to_owned(), ..Default::default()
            };
            denied(control.download(ask).await.err());
        }
        let ask = RelayRequest {
            job_id: job_id.clone(), epoch: 1, method: "GET".to_owned(),
            path_and_query: "/api/v2/account/details".to_owned(), ..Default::default()
        };
        denied(control.relay(ask).await.err());
        let log = LogOffsetRequest { job_id: job_id.clone(), epoch: 1, stream: "text".to_owned() };
        denied(control.log_offset(log).await.err());
        let log = LogChunk { job_id: job_id.clone(), epoch: 1, ..Default::default() };
        denied(control.append_log(futures::stream::iter([log])).await.err());
        let told = ProgressRequest { job_id, epoch: 1, ..Default::default() };
        denied(control.progress(told).await.err());
        for kind in ["plan-json", "plan-archive", "configuration", "provider-schemas"] {
            denied(control.upload(one_chunk(upload(&run, kind))).await.err());
        }

        // Nor for what isn't its own.
        for foreign in [&others, &foreign] {
            let late = control.upload(one_chunk(upload(foreign, "state"))).await.err().unwrap();
            assert_eq!(late.code(), Code::FailedPrecondition, "{late}");
            let late = control.complete(report(foreign)).await.err().unwrap();
            assert_eq!(late.code(), Code::FailedPrecondition, "{late}");
            let answer = control.heartbeat(beat(&[foreign])).await.unwrap().into_inner();
            assert_eq!(answer.directives[0].kind(), Kind::Forget);
        }
        let held = app.get(format!("/api/v2/runs/{}", others.id)).by(&beside.reader).await;
        assert_eq!(held.expect(200).attribute("status"), "applying");
        let mut newer = upload(&run, "state");
        newer.head.as_mut().unwrap().epoch = 2;
        let stale = control.upload(one_chunk(newer)).await.err().unwrap();
        assert_eq!(stale.code(), Code::FailedPrecondition, "{stale}");
        assert!(stage.kept().await.is_empty());
        // And nothing was read on the way in.
        let hello = deliverer.hello().await.unwrap();
        assert_eq!((hello.pool_name.as_str(), hello.directives.len()), ("", 0));
        stage.plane.stop().await;
    }

    async fn who_has_nothing_to_deliver_gets_no_certificate(db: Db) {
        let stage = Stage::set(db).await;
        let Stage { app, team, plane, token } = &stage;
        let (runner, idle) =
            (plane.enrol(token, "one").await.unwrap(), plane.enrol(token, "two").await.unwrap());
        let run = apply_of(app, team, &runner).await;
        stage.revoke(&idle).await;
        let refused = plane.recover(&idle).await.err().unwrap();
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");

        stage.revoke(&runner).await;
        let deliverer = plane.recover(&runner).await.unwrap();
        // One at a time.
        let soon = plane.recover(&runner).await.err().unwrap();
        assert_eq!(soon.code(), Code::Unavailable, "{soon}");
        assert_eq!(app.audited(&team.tenant, "runner.deliver").await, 1);
        // The key proves itself with that certificate as well, and gets the same kind again.
        stage.wait_for_another_certificate().await;
        let again = plane.recover(&deliverer).await.unwrap();
        let connection = again.connect().await.unwrap();
        let refused = connection.control().lease(LeaseRequest { free_slots: 1 }).await;
        assert_eq!(refused.err().unwrap().code(), Code::PermissionDenied);

        // When the grant has run out, nothing is taken any more, and nothing is to be forgotten.
        let mut tx = app.db.begin().await.unwrap();
        tx.query("UPDATE jobs SET recovery_until = finished_at WHERE id = $1").bind(&run.job)
            .execute().await.unwrap();
        tx.commit().await.unwrap();
        let mut control = connection.control();
        let late = control.upload(one_chunk(upload(&run, "state"))).await.err().unwrap();
        assert_eq!(late.code(), Code::FailedPrecondition, "{late}");
        let late = control.complete(report(&run)).await.err().unwrap();
        assert_eq!(late.code(), Code::FailedPrecondition, "{late}");
        let answer = control.heartbeat(beat(&[&run])).await.unwrap().into_inner();
        assert_eq!(answer.directives[0].kind(), Kind::Release);
        stage.wait_for_another_certificate().await;
        let refused = plane.recover(&runner).await.err().unwrap();
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
        stage.plane.stop().await;
    }

    async fn a_revoked_runner_delivers_so_much_and_no_more(db: Db) {
        let stage = Stage::set(db).await;
        let Stage { app, team, plane, token } = &stage;
        let runner = plane.enrol(token, "one").await.unwrap();
        let run = apply_of(app, team, &runner).await;
        stage.revoke(&runner).await;
        let connection = plane.recover(&runner).await.unwrap().connect().await.unwrap();
        let mut control = connection.control();

        // More than it has announced.
        let mut longer = upload(&run, "state");
        longer.head.as_mut().unwrap().size -= 1;
        let refused = control.upload(one_chunk(longer)).await.err().unwrap();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        let mut larger = upload(&run, "state");
        larger.head.as_mut().unwrap().size = u64::MAX;
        let refused = control.upload(one_chunk(larger)).await.err().unwrap();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        let mut wordy = upload(&run, "state");
        wordy.head.as_mut().unwrap().lineage = "l".repeat(1000);
        let refused = control.upload(one_chunk(wordy)).await.err().unwrap();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");

        // The one above counts as well: sixty-three are left.
        for serial in 1..=63 {
            let mut chunk = upload(&run, "state");
            let text = STATE.replace("\"serial\":1", &format!("\"serial\":{serial}"));
            let head = chunk.head.as_mut().unwrap();
            (head.serial, head.size) = (serial, text.len() as u64);
            chunk.data = text.into();
            let stored = control.upload(one_chunk(chunk)).await.unwrap().into_inner();
            assert_eq!(stored.disposition, "quarantined");
        }
        let refused = control.upload(one_chunk(upload(&run, "state"))).await.err().unwrap();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        // It keeps what it has: it isn't told to forget it.
        let answer = control.heartbeat(beat(&[&run])).await.unwrap().into_inner();
        assert_eq!(answer.directives[0].kind(), Kind::Release);
        stage.plane.stop().await;
    }
}

fn one_chunk(chunk: UploadChunk) -> impl futures::Stream<Item = UploadChunk> + Send + 'static {
    futures::stream::iter([chunk])
}
