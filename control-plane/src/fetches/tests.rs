//! A fetch from the owner's wish to its end, through the one queue of jobs.

use chrono::TimeDelta;
use db::Db;
use domain::Secret;
use domain::ids::{FetchId, RunnerId, RunnerPoolId};
use domain::job::{FetchOwnerKind, FetchStatus, JobStatus};

use super::{Fetch, FetchError, FetchRequest, Owner};
use crate::context::{Actor, Context};
use crate::objects;
use crate::runners::Offered;
use crate::runs::configuration::Fetched;
use crate::runs::jobs::{self, Job, Outcome, Report, Taken};
use crate::runs::wait_of_fetch;
use crate::tenancy;
use crate::testing::{Team, TestApp};
use crate::workspaces::GitSource;

const ABLE: fn() -> Offered = || Offered {
    fetches_of_no_run: true,
    ..Offered::default()
};

struct Scene {
    app: TestApp,
    team: Team,
    ctx: Context,
    pool: RunnerPoolId,
    runner: RunnerId,
}

async fn scene(db: Db) -> Scene {
    of_app(TestApp::new(db)).await
}

async fn of_app(app: TestApp) -> Scene {
    let team = app.team().await;
    let mut conn = app.db.acquire().await.unwrap();
    let pool = tenancy::default_pool(&mut conn, &team.tenant)
        .await
        .unwrap()
        .unwrap();
    drop(conn);
    let runner = app.runner(&team.tenant, pool.as_str()).await;
    let ctx = Context::new(
        Actor::system(team.tenant.account(), "test"),
        app.clock.clone(),
    );
    Scene {
        app,
        team,
        ctx,
        pool,
        runner,
    }
}

fn owner() -> Owner {
    Owner {
        kind: FetchOwnerKind::PolicyRevisions,
        id: "polsetver-1".to_owned(),
    }
}

fn request(pool: Option<RunnerPoolId>) -> FetchRequest {
    FetchRequest {
        owner: owner(),
        pool,
        git: GitSource {
            url: "https://git.test/policies.git".to_owned(),
            reference: "main".to_owned(),
            username: "bot".to_owned(),
            ca_pem: None,
            submodules: false,
            known_hosts: None,
        },
        commit: None,
        token: Some(Secret::new("very-secret".to_owned())),
    }
}

impl Scene {
    async fn enqueue(&self) -> FetchId {
        let mut tx = self.app.db.begin().await.unwrap();
        let id = super::enqueue(&self.app, &mut tx, &self.ctx, request(None))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        jobs::settle_fetches(&self.app).await.unwrap();
        id
    }

    async fn fetch(&self, id: &FetchId) -> Fetch {
        let mut conn = self.app.db.acquire().await.unwrap();
        super::find(&mut conn, &self.team.tenant, id)
            .await
            .unwrap()
            .unwrap()
    }

    async fn token(&self, id: &FetchId) -> Option<Secret> {
        let mut conn = self.app.db.acquire().await.unwrap();
        super::token(&self.app, &mut conn, &self.team.tenant, id)
            .await
            .unwrap()
    }

    async fn job(&self, job: &Job) -> Job {
        let mut conn = self.app.db.acquire().await.unwrap();
        jobs::find(&mut conn, &self.team.tenant, &job.id)
            .await
            .unwrap()
            .unwrap()
    }

    async fn offer(&self, offered: Offered) -> Option<Job> {
        jobs::offer_next(&self.app, &self.pool, &self.runner, offered)
            .await
            .unwrap()
    }

    /// The runner takes what it is offered.
    async fn take(&self) -> Job {
        let job = self.offer(ABLE()).await.unwrap();
        let mut tx = self.app.db.begin().await.unwrap();
        let tenant = &self.team.tenant;
        let taken = jobs::acknowledge(&self.app, &mut tx, tenant, &self.runner, &job.id, job.epoch)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let Taken::Fetch(taken) = taken else {
            panic!("a fetch has no run");
        };
        taken.job
    }

    async fn bring(&self, id: &FetchId, text: &[u8]) {
        let tenant = &self.team.tenant;
        let stored = objects::put(&self.app, tenant, "configuration", text, 1000)
            .await
            .unwrap();
        let mut tx = self.app.db.begin().await.unwrap();
        let mut fetch = super::lock_and_find(&mut tx, tenant, id)
            .await
            .unwrap()
            .unwrap();
        super::attach(&mut tx, tenant, &mut fetch, &stored)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn report(&self, job: &Job, outcome: Outcome, error: &str) {
        let report = Report {
            outcome,
            error: error.to_owned(),
            plan: None,
            apply: None,
            fetched: Some(Fetched {
                commit: "c0ffee".to_owned(),
                author: "Ada".to_owned(),
                message: "first".to_owned(),
                reference: "main".to_owned(),
                url: String::new(),
            }),
        };
        let tenant = &self.team.tenant;
        jobs::complete(&self.app, tenant, &self.runner, &job.id, job.epoch, report)
            .await
            .unwrap();
    }

    /// The runner is silent for longer than its lease.
    async fn lose(&self, job: &Job) {
        let mut tx = self.app.db.begin().await.unwrap();
        let long_ago = tx.database_now().await.unwrap() - TimeDelta::hours(1);
        tx.query("UPDATE jobs SET lease_expires_at = $2 WHERE id = $1")
            .bind(&job.id)
            .bind(long_ago)
            .execute()
            .await
            .unwrap();
        tx.commit().await.unwrap();
        jobs::expire(&self.app).await.unwrap();
        jobs::settle_fetches(&self.app).await.unwrap();
    }

    async fn waits_for(&self, id: &FetchId) -> Option<&'static str> {
        let fetch = self.fetch(id).await;
        let wait = wait_of_fetch(&self.app, &fetch).await.unwrap();
        wait.map(|it| it.code)
    }

    async fn number(&self, sql: &'static str) -> i64 {
        let mut conn = self.app.db.acquire().await.unwrap();
        conn.query(sql).fetch_scalar().await.unwrap()
    }
}

const JOBS: &str = "SELECT COUNT(*) FROM jobs";
const ORPHANS: &str = "SELECT COUNT(*) FROM blobs WHERE orphan_since IS NOT NULL";

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn a_fetch_is_taken_brought_and_reported(db: Db) {
        let scene = scene(db).await;
        let id = scene.enqueue().await;
        assert_eq!(scene.waits_for(&id).await, Some("no-runner"));
        // However often the pass comes by.
        jobs::settle_fetches(&scene.app).await.unwrap();
        assert_eq!(scene.number(JOBS).await, 1);

        let job = scene.take().await;
        assert_eq!(scene.fetch(&id).await.status, FetchStatus::Fetching);
        assert_eq!(scene.waits_for(&id).await, Some("fetching"));
        assert_eq!(scene.token(&id).await.unwrap().expose(), "very-secret");
        scene.bring(&id, b"first").await;
        scene.bring(&id, b"second").await;
        assert_eq!(scene.number(ORPHANS).await, 1);
        scene.report(&job, Outcome::Succeeded, "").await;
        // A repeated report changes nothing.
        scene.report(&job, Outcome::Failed, "late").await;

        let fetch = scene.fetch(&id).await;
        assert_eq!(fetch.status, FetchStatus::Fetched);
        assert_eq!(fetch.fetched.unwrap().commit, "c0ffee");
        // The archive is the owner's now.
        assert!(fetch.archive.is_none() && fetch.error.is_none());
        assert!(scene.token(&id).await.is_none());
        assert_eq!(scene.waits_for(&id).await, None);
        assert_eq!(scene.app.audited(&scene.team.tenant, "fetch.end").await, 1);
        let latest = {
            let mut conn = scene.app.db.acquire().await.unwrap();
            super::latest(&mut conn, &scene.team.tenant, &owner()).await.unwrap()
        };
        assert_eq!(latest.unwrap().id, id);
    }

    async fn a_failed_fetch_says_why_and_keeps_nothing(db: Db) {
        let scene = scene(db).await;
        let id = scene.enqueue().await;
        let job = scene.take().await;
        scene.bring(&id, b"half").await;
        scene.report(&job, Outcome::Failed, "the host refuses the credentials").await;
        let fetch = scene.fetch(&id).await;
        assert_eq!(fetch.status, FetchStatus::Failed);
        assert_eq!(fetch.error.as_deref(), Some("the host refuses the credentials"));
        assert_eq!((fetch.archive, scene.number(ORPHANS).await), (None, 1));
    }

    async fn success_without_an_archive_is_none(db: Db) {
        let scene = scene(db).await;
        let id = scene.enqueue().await;
        let job = scene.take().await;
        scene.report(&job, Outcome::Succeeded, "").await;
        assert_eq!(scene.fetch(&id).await.status, FetchStatus::Failed);
    }

    async fn a_lost_fetch_is_tried_again_and_at_last_given_up(db: Db) {
        let scene = scene(db).await;
        let id = scene.enqueue().await;
        let first = scene.take().await;
        scene.lose(&first).await;
        assert_eq!(scene.fetch(&id).await.status, FetchStatus::Waiting);
        let second = scene.take().await;
        assert_ne!(first.id, second.id);
        // What the first runner still says is too late.
        scene.report(&first, Outcome::Failed, "late").await;
        assert_eq!(scene.fetch(&id).await.status, FetchStatus::Fetching);
        scene.lose(&second).await;
        let third = scene.take().await;
        assert_eq!(third.attempt, 3);
        scene.lose(&third).await;
        let fetch = scene.fetch(&id).await;
        assert_eq!(fetch.status, FetchStatus::Failed);
        assert_eq!(fetch.error.as_deref(), Some("its runner was lost 3 times"));
        assert!(scene.offer(ABLE()).await.is_none());
    }

    async fn what_nobody_wants_is_dropped_wherever_it_is(db: Db) {
        let scene = scene(db).await;
        let (at_work, queued) = (scene.enqueue().await, scene.enqueue().await);
        let job = scene.take().await;
        let mut tx = scene.app.db.begin().await.unwrap();
        super::cancel(&mut tx, &scene.ctx, &owner()).await.unwrap();
        tx.commit().await.unwrap();
        jobs::settle_fetches(&scene.app).await.unwrap();
        for id in [at_work, queued] {
            assert_eq!(scene.fetch(&id).await.status, FetchStatus::Canceled);
            assert!(scene.token(&id).await.is_none());
        }
        assert_eq!(scene.job(&job).await.status, JobStatus::Abandoned);
        assert!(scene.offer(ABLE()).await.is_none());
        scene.report(&job, Outcome::Succeeded, "").await;
    }

    async fn an_older_runner_is_not_offered_one_but_a_run_s_job(db: Db) {
        let scene = scene(db).await;
        let id = scene.enqueue().await;
        assert!(scene.offer(Offered::default()).await.is_none());
        let run = scene.app.run_in_progress(&scene.team.workspace).await;
        let mut tx = scene.app.db.begin().await.unwrap();
        tx.query("UPDATE jobs SET status = 'queued', priority = 2, pool_id = $2 WHERE id = $1")
            .bind(&run.job)
            .bind(&scene.pool)
            .execute()
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(scene.offer(Offered::default()).await.unwrap().id, run.job);
        let job = scene.offer(ABLE()).await.unwrap();
        assert_eq!(job.owner.fetch(), Some(&id));
        assert!(job.owner.need_run().is_err());
    }

    async fn fetches_count_against_the_limit_of_their_account(db: Db) {
        let limited = TestApp::with_limits(db, |limits| limits.runs_per_account = 1);
        let scene = of_app(limited).await;
        scene.enqueue().await;
        let second = scene.enqueue().await;
        scene.take().await;
        assert!(scene.offer(ABLE()).await.is_none());
        assert_eq!(scene.waits_for(&second).await, Some("account-limit"));
    }

    async fn the_pool_must_be_the_accounts_own(db: Db) {
        let scene = scene(db).await;
        let other = scene.app.team().await;
        let mut conn = scene.app.db.acquire().await.unwrap();
        let foreign = tenancy::default_pool(&mut conn, &other.tenant).await.unwrap();
        drop(conn);
        let mut tx = scene.app.db.begin().await.unwrap();
        let refused = super::enqueue(&scene.app, &mut tx, &scene.ctx, request(foreign)).await;
        assert!(matches!(refused, Err(FetchError::UnknownPool)));
    }
}
