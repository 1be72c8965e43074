//! Whose job is next: fair between accounts, within limits, and the same after a restart.

use db::Db;
use domain::ids::{JobId, RunnerId, RunnerPoolId};
use serde_json::json;

use crate::context::Tenant;
use crate::runners::Offered;
use crate::runs::jobs;
use crate::tenancy;
use crate::testing::{Team, TestApp};

/// A pool with a runner: what is queued below is all put into it.
async fn shared_pool(app: &TestApp) -> (RunnerPoolId, RunnerId) {
    let owner = app.team().await;
    let pool: RunnerPoolId = app
        .post(format!(
            "/api/v2/organizations/{}/agent-pools",
            owner.environment.name
        ))
        .by(&owner.admin)
        .attributes("agent-pools", json!({ "name": "shared" }))
        .await
        .expect(200)
        .id()
        .parse()
        .unwrap();
    let runner = app.runner(&owner.tenant, pool.as_str()).await;
    (pool, runner)
}

/// Queues a job of the team; the later it is called, the younger is the job.
async fn queue(app: &TestApp, team: &Team, pool: &RunnerPoolId, priority: i64) -> JobId {
    let run = app.run_in_progress(&team.workspace).await;
    let mut tx = app.db.begin().await.unwrap();
    tx.query("UPDATE jobs SET status = 'queued', pool_id = $2, priority = $3 WHERE id = $1")
        .bind(&run.job)
        .bind(pool)
        .bind(priority)
        .execute()
        .await
        .unwrap();
    tx.query("UPDATE runs SET status = 'plan_queued', plan_status = 'queued' WHERE id = $1")
        .bind(&run.id)
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    app.advance(chrono::TimeDelta::seconds(1));
    run.job
}

async fn offer(app: &TestApp, pool: &RunnerPoolId, runner: &RunnerId) -> Option<JobId> {
    jobs::offer_next(app, pool, runner, Offered::default())
        .await
        .unwrap()
        .map(|job| job.id)
}

async fn end(app: &TestApp, job: &JobId) {
    let mut tx = app.db.begin().await.unwrap();
    tx.query("UPDATE jobs SET status = 'finished' WHERE id = $1")
        .bind(job)
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// The runner takes what it was offered.
async fn lease(app: &TestApp, job: &jobs::Job) {
    let tenant = Tenant::of_row(&job.account_id);
    let runner = job.runner_id.clone().unwrap();
    let mut tx = app.db.begin().await.unwrap();
    jobs::acknowledge(app, &mut tx, &tenant, &runner, &job.id, job.epoch)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn leased(app: &TestApp, team: &Team) -> Vec<JobId> {
    let mut conn = app.db.acquire().await.unwrap();
    let rows: Vec<(JobId,)> = conn
        .query("SELECT id FROM jobs WHERE account_id = $1 AND status = 'leased' ORDER BY id")
        .bind(team.tenant.account())
        .fetch_all()
        .await
        .unwrap();
    rows.into_iter().map(|(id,)| id).collect()
}

async fn run_of(app: &TestApp, job: &JobId) -> String {
    let mut conn = app.db.acquire().await.unwrap();
    conn.query("SELECT run_id FROM jobs WHERE id = $1")
        .bind(job)
        .fetch_scalar()
        .await
        .unwrap()
}

const NOON: &str = "2031-05-01T12:00:00Z";

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn a_large_tenant_does_not_starve_a_small_one(db: Db) {
        let app = TestApp::at(db, NOON);
        let (pool, runner) = shared_pool(&app).await;
        let large = app.team().await;
        let mut flood = Vec::new();
        for _ in 0..12 {
            flood.push(queue(&app, &large, &pool, 1).await);
        }
        let mut small = Vec::new();
        for _ in 0..3 {
            let team = app.team().await;
            small.push(queue(&app, &team, &pool, 1).await);
        }
        // Everybody gets one before the flood gets its second, though it came first.
        let mut order = Vec::new();
        for _ in 0..5 {
            order.push(offer(&app, &pool, &runner).await.unwrap());
        }
        let expected = [&flood[0], &small[0], &small[1], &small[2], &flood[1]];
        assert_eq!(order.iter().collect::<Vec<_>>(), expected);
        // And the rest in the order in which it came.
        let mut rest = Vec::new();
        while let Some(job) = offer(&app, &pool, &runner).await {
            rest.push(job);
        }
        assert_eq!(rest, flood[2..]);
    }

    async fn an_urgent_job_goes_before_a_fair_one(db: Db) {
        let app = TestApp::at(db, NOON);
        let (pool, runner) = shared_pool(&app).await;
        let (busy, idle) = (app.team().await, app.team().await);
        queue(&app, &busy, &pool, 1).await;
        offer(&app, &pool, &runner).await.unwrap();
        let plan = queue(&app, &idle, &pool, 1).await;
        let apply = queue(&app, &busy, &pool, 0).await;
        assert_eq!(offer(&app, &pool, &runner).await, Some(apply));
        assert_eq!(offer(&app, &pool, &runner).await, Some(plan));
    }

    async fn an_account_at_its_limit_waits_and_says_so(db: Db) {
        let app = TestApp::at_with_limits(db, NOON, |limits| limits.runs_per_account = 5);
        let (pool, runner) = shared_pool(&app).await;
        let (team, other) = (app.team().await, app.team().await);
        let mut at_work = Vec::new();
        for _ in 0..5 {
            queue(&app, &team, &pool, 1).await;
            at_work.push(offer(&app, &pool, &runner).await.unwrap());
        }
        let waiting = queue(&app, &team, &pool, 0).await;
        assert_eq!(offer(&app, &pool, &runner).await, None);
        let run = run_of(&app, &waiting).await;
        let shown = app.get(format!("/api/v2/runs/{run}")).by(&team.reader).await.expect(200);
        let reason = shown.attribute("wait-reason");
        assert_eq!(reason["code"], "account-limit", "{}", shown.text());
        assert!(reason["detail"].as_str().unwrap().starts_with("account limit 5 of 5"), "{reason}");
        // Others don't wait for it.
        let theirs = queue(&app, &other, &pool, 2).await;
        assert_eq!(offer(&app, &pool, &runner).await, Some(theirs));
        end(&app, &at_work[0]).await;
        assert_eq!(offer(&app, &pool, &runner).await, Some(waiting));
    }

    async fn an_account_may_have_a_limit_of_its_own(db: Db) {
        let app = TestApp::at_with_limits(db, NOON, |limits| limits.runs_per_account = 2);
        let (pool, runner) = shared_pool(&app).await;
        let (team, other) = (app.team().await, app.team().await);
        let name = team.account.name.clone();
        let limit = async |limit| {
            tenancy::limit_account(&app.shared(), Some(&name), limit).await.unwrap();
        };
        limit(Some(1)).await;
        let first = queue(&app, &team, &pool, 1).await;
        assert_eq!(offer(&app, &pool, &runner).await, Some(first));
        let (second, third) =
            (queue(&app, &team, &pool, 1).await, queue(&app, &team, &pool, 1).await);
        assert_eq!(offer(&app, &pool, &runner).await, None);
        let run = run_of(&app, &second).await;
        let shown = app.get(format!("/api/v2/runs/{run}")).by(&team.reader).await.expect(200);
        let reason = shown.attribute("wait-reason");
        assert_eq!(reason["code"], "account-limit", "{}", shown.text());
        assert!(reason["detail"].as_str().unwrap().starts_with("account limit 1 of 1"), "{reason}");
        // The others keep to the installation's.
        for _ in 0..3 {
            queue(&app, &other, &pool, 1).await;
        }
        for _ in 0..2 {
            assert!(offer(&app, &pool, &runner).await.is_some());
        }
        assert_eq!(offer(&app, &pool, &runner).await, None);
        // Back to the default, then to any number.
        limit(None).await;
        assert_eq!(offer(&app, &pool, &runner).await, Some(second));
        assert_eq!(offer(&app, &pool, &runner).await, None);
        limit(Some(0)).await;
        assert_eq!(offer(&app, &pool, &runner).await, Some(third));
        assert_eq!(app.audited(&team.tenant, "account.limit-runs").await, 3);
        let nobody = tenancy::limit_account(&app.shared(), Some("nobody"), None).await;
        assert!(matches!(nobody, Err(tenancy::TenancyError::NotFound)));
    }

    async fn many_who_offer_at_once_keep_to_each_accounts_own_limit(db: Db) {
        let app = TestApp::at(db, NOON);
        let (pool, runner) = shared_pool(&app).await;
        let (one, three, free) = (app.team().await, app.team().await, app.team().await);
        let limits = [(&one, Some(1)), (&three, Some(3)), (&free, None)];
        for (team, limit) in limits {
            let name = Some(team.account.name.as_str());
            tenancy::limit_account(&app.shared(), name, limit).await.unwrap();
            for _ in 0..8 {
                queue(&app, team, &pool, 1).await;
            }
        }
        let (mut done, mut unhindered) = (0, false);
        while done < 24 {
            // Who meets another offer in the middle is told so, and comes again.
            let tries = (0..12).map(|_| jobs::offer_next(&app, &pool, &runner, Offered::default()));
            let offered = futures::future::join_all(tries).await;
            for job in offered.into_iter().filter_map(|it| it.ok().flatten()) {
                lease(&app, &job).await;
            }
            for (team, limit) in limits {
                let held = leased(&app, team).await;
                assert!(limit.is_none_or(|limit| held.len() <= limit as usize), "{held:?}");
                unhindered |= limit.is_none() && held.len() > 3;
                if let Some(first) = held.first() {
                    end(&app, first).await;
                    done += 1;
                }
            }
        }
        assert!(unhindered, "an account without a limit waited for the others");
        assert_eq!(offer(&app, &pool, &runner).await, None);
    }

    async fn an_environment_at_its_limit_waits_and_says_so(db: Db) {
        let app = TestApp::at(db, NOON);
        let (pool, runner) = shared_pool(&app).await;
        let team = app.team().await;
        let path = format!("/api/v2/organizations/{}", team.environment.name);
        let limit = |value: serde_json::Value| {
            app.patch(&path).by(&team.admin)
                .attributes("organizations", json!({ "max-concurrent-runs": value }))
        };
        let refused = limit(json!(0)).await.expect(422);
        assert_eq!(refused.pointer(), "/data/attributes/max-concurrent-runs");
        assert_eq!(limit(json!(1)).await.expect(200).attribute("max-concurrent-runs"), 1);
        queue(&app, &team, &pool, 1).await;
        let waiting = queue(&app, &team, &pool, 1).await;
        offer(&app, &pool, &runner).await.unwrap();
        assert_eq!(offer(&app, &pool, &runner).await, None);
        let run = run_of(&app, &waiting).await;
        let shown = app.get(format!("/api/v2/runs/{run}")).by(&team.reader).await.expect(200);
        assert_eq!(shown.attribute("wait-reason")["code"], "environment-limit");
        limit(json!(null)).await.expect(200);
        assert_eq!(offer(&app, &pool, &runner).await, Some(waiting));
    }

    async fn many_who_offer_at_once_keep_to_the_limit(db: Db) {
        let app = TestApp::at_with_limits(db, NOON, |limits| limits.runs_per_account = 3);
        let (pool, runner) = shared_pool(&app).await;
        let team = app.team().await;
        for _ in 0..8 {
            queue(&app, &team, &pool, 1).await;
        }
        let tries = (0..8).map(|_| offer(&app, &pool, &runner));
        let offered = futures::future::join_all(tries).await;
        assert_eq!(offered.iter().flatten().count(), 3);
    }
}
