//! Builders: accounts with people, environments, workspaces, and a run with its token.

use db::Json;
use domain::Secret;
use domain::access::Role;
use domain::ids::{
    ApplyId, ConfigurationVersionId, JobId, PlanId, RunId, RunnerId, RunnerPoolId, UserId,
    WorkspaceId,
};
use serde_json::json;

use super::app::TestApp;
use crate::context::{Actor, Context, Tenant};
use crate::iam::{self, NewToken, NewUser, TokenOwner};
use crate::tenancy::{self, Account, Environment};
use crate::workspaces::{self, NewWorkspace, Workspace};

/// A member of an account, with an API token.
#[derive(Debug, Clone)]
pub(crate) struct TestUser {
    pub(crate) id: UserId,
    pub(crate) username: String,
    pub(crate) token: String,
    pub(crate) actor: Actor,
}

impl AsRef<str> for TestUser {
    fn as_ref(&self) -> &str {
        &self.token
    }
}

/// A run whose plan job is leased, with the token that its Terraform has.
#[derive(Debug, Clone)]
pub(crate) struct TestRun {
    pub(crate) id: RunId,
    pub(crate) plan: PlanId,
    pub(crate) apply: ApplyId,
    pub(crate) configuration: ConfigurationVersionId,
    pub(crate) job: JobId,
    pub(crate) token: String,
}

impl AsRef<str> for TestRun {
    fn as_ref(&self) -> &str {
        &self.token
    }
}

/// What most tests begin with: an account, its people, and one workspace.
#[derive(Debug, Clone)]
pub(crate) struct Team {
    pub(crate) account: Account,
    pub(crate) tenant: Tenant,
    pub(crate) admin: TestUser,
    pub(crate) reader: TestUser,
    pub(crate) environment: Environment,
    pub(crate) workspace: Workspace,
}

/// A name that no other builder call gets.
fn unique(prefix: &str) -> String {
    let random = bs58::encode(rand::random::<[u8; 8]>())
        .into_string()
        .to_lowercase();
    format!("{prefix}-{random}")
}

impl TestApp {
    pub(crate) async fn team(&self) -> Team {
        let account = self.account().await;
        let admin = self.user(&account, Role::Admin).await;
        let reader = self.user(&account, Role::Reader).await;
        let environment = self.environment(&account, &unique("org")).await;
        let workspace = self.workspace(&environment, &unique("work")).await;
        let tenant = Tenant::of_row(&account.id);
        Team {
            account,
            tenant,
            admin,
            reader,
            environment,
            workspace,
        }
    }

    /// An account of its own, with its default runner pool.
    pub(crate) async fn account(&self) -> Account {
        let mut tx = self.db.begin().await.unwrap();
        let account = tenancy::create_account(self, &mut tx, &unique("account"), false)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        account
    }

    /// The control plane itself, acting in an account.
    pub(crate) fn system(&self, account: &Account) -> Context {
        Context::new(Actor::system(&account.id, "test"), self.clock.clone())
    }

    /// As if `user` had called.
    pub(crate) fn context(&self, user: &TestUser) -> Context {
        Context::new(user.actor.clone(), self.clock.clone())
    }

    /// A member who has a token and no password.
    pub(crate) async fn user(&self, account: &Account, role: Role) -> TestUser {
        self.user_with(account, role, None).await
    }

    /// A member who can sign in. Hashing takes a while: only where a test is about signing in.
    pub(crate) async fn user_with_password(
        &self,
        account: &Account,
        role: Role,
        password: &str,
    ) -> TestUser {
        self.user_with(account, role, Some(Secret::new(password.to_owned())))
            .await
    }

    async fn user_with(&self, account: &Account, role: Role, password: Option<Secret>) -> TestUser {
        let username = unique(role.as_str());
        let new = NewUser {
            username: username.clone(),
            email: format!("{username}@terrane.test"),
            password,
            role,
        };
        let member = iam::create_user(self, &self.system(account), new)
            .await
            .unwrap();
        let tenant = Tenant::of_row(&account.id);
        let mut conn = self.db.acquire().await.unwrap();
        let actor = iam::granted_actor(&mut conn, &tenant, &member)
            .await
            .unwrap();
        drop(conn);
        let token = self.token(&actor).await;
        TestUser {
            id: member.id,
            username,
            token,
            actor,
        }
    }

    /// One more token of a user.
    pub(crate) async fn token(&self, owner: &Actor) -> String {
        let mut tx = self.db.begin().await.unwrap();
        let new = NewToken {
            owner: TokenOwner::User(owner.user().unwrap()),
            description: "test".to_owned(),
            expires_at: None,
        };
        let tenant = Tenant::of_row(&owner.account);
        let (_, text) = iam::insert_token(&mut tx, &tenant, new, self.clock.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        text.text.expose().clone()
    }

    pub(crate) async fn environment(&self, account: &Account, name: &str) -> Environment {
        tenancy::create_environment(self, &self.system(account), name, "")
            .await
            .unwrap()
    }

    pub(crate) async fn workspace(&self, environment: &Environment, name: &str) -> Workspace {
        let actor = Actor::system(&environment.account_id, "test");
        let ctx = Context::new(actor, self.clock.clone());
        let new = NewWorkspace {
            name: name.to_owned(),
            ..NewWorkspace::default()
        };
        workspaces::create(self, &ctx, environment.id.as_str(), new)
            .await
            .unwrap()
    }

    /// A run of `workspace` in the middle of its plan.
    pub(crate) async fn run_in_progress(&self, workspace: &Workspace) -> TestRun {
        let run = TestRun {
            id: RunId::random(),
            plan: PlanId::random(),
            apply: ApplyId::random(),
            configuration: ConfigurationVersionId::random(),
            job: JobId::random(),
            token: String::new(),
        };
        let tenant = Tenant::of_row(&workspace.account_id);
        let now = self.clock.now();
        let mut tx = self.db.begin().await.unwrap();
        let pool = tenancy::insert_pool(&mut tx, &tenant, &unique("pool"), false, now)
            .await
            .unwrap();
        insert_configuration(&mut tx, workspace, &run, now).await;
        let number = workspaces::next_run_number(&mut tx, &tenant, &workspace.id)
            .await
            .unwrap();
        insert_run(&mut tx, workspace, &run, number, now).await;
        insert_job(&mut tx, workspace, &run, &pool, now).await;
        let expires = now + chrono::TimeDelta::days(1);
        let token = iam::issue_run_token(&mut tx, &tenant, &run.id, &run.job, 1, expires)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        TestRun {
            token: token.text.expose().clone(),
            ..run
        }
    }

    /// A runner of `pool` that is not connected.
    pub(crate) async fn runner(&self, tenant: &Tenant, pool: &str) -> RunnerId {
        let id = RunnerId::random();
        let now = self.clock.now();
        let mut tx = self.db.begin().await.unwrap();
        tx.query(
            "INSERT INTO runners (id, account_id, pool_id, name, labels, capabilities, software,
                capacity, public_key, cert_serial, cert_not_after, created_at)
             VALUES ($1, $2, $3, 'one', $4, $4, 'test', 1, $5, '01', $6, $6)",
        )
        .bind(&id)
        .bind(tenant.account())
        .bind(pool)
        .bind(Json(json!({})))
        .bind(Vec::new())
        .bind(now)
        .execute()
        .await
        .unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// How many audit records an account has for `action`.
    pub(crate) async fn audited(&self, tenant: &Tenant, action: &str) -> i64 {
        let mut conn = self.db.acquire().await.unwrap();
        conn.query("SELECT COUNT(*) FROM audit_records WHERE account_id = $1 AND action = $2")
            .bind(tenant.account())
            .bind(action)
            .fetch_scalar()
            .await
            .unwrap()
    }

    /// Pretends that a workspace's current state has this many resources.
    pub(crate) async fn set_resource_count(&self, id: &WorkspaceId, count: i64) {
        let mut tx = self.db.begin().await.unwrap();
        tx.query("UPDATE workspaces SET resource_count = $2 WHERE id = $1")
            .bind(id)
            .bind(count)
            .execute()
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

async fn insert_configuration(
    conn: &mut db::Conn,
    workspace: &Workspace,
    run: &TestRun,
    now: crate::clock::Timestamp,
) {
    conn.query(
        "INSERT INTO configuration_versions (id, account_id, workspace_id, status, source,
            speculative, provisional, auto_queue_runs, timestamps, created_by, created_at)
         VALUES ($1, $2, $3, 'uploaded', 'tfe-api', $4, $4, $4, $5, 'system', $6)",
    )
    .bind(&run.configuration)
    .bind(&workspace.account_id)
    .bind(&workspace.id)
    .bind(false)
    .bind(Json(json!({})))
    .bind(now)
    .execute()
    .await
    .unwrap();
}

async fn insert_run(
    conn: &mut db::Conn,
    workspace: &Workspace,
    run: &TestRun,
    number: i64,
    now: crate::clock::Timestamp,
) {
    let request = json!({
        "message": "", "is_destroy": false, "refresh": true, "refresh_only": false,
        "target_addrs": [], "replace_addrs": [], "save_plan": false, "auto_apply": false,
        "allow_empty_apply": false, "allow_config_generation": false, "structured_log": false,
        "needs_fetch": false,
    });
    conn.query(
        "INSERT INTO runs (id, account_id, environment_id, workspace_id, configuration_version_id,
            plan_id, apply_id, number, version, status, plan_status, apply_status,
            holds_workspace, request, plan_only, source, state_uncertain, timestamps,
            created_by_kind, created_by_id, created_by_name, created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $12, 1, 'planning', 'running', 'pending', $8, $9, $8,
            'tfe-api', $8, $10, 'system', 'system', 'test', $11, $11)",
    )
    .bind(&run.id)
    .bind(&workspace.account_id)
    .bind(&workspace.environment_id)
    .bind(&workspace.id)
    .bind(&run.configuration)
    .bind(&run.plan)
    .bind(&run.apply)
    .bind(false)
    .bind(Json(request))
    .bind(Json(json!({})))
    .bind(now)
    .bind(number)
    .execute()
    .await
    .unwrap();
}

async fn insert_job(
    conn: &mut db::Conn,
    workspace: &Workspace,
    run: &TestRun,
    pool: &RunnerPoolId,
    now: crate::clock::Timestamp,
) {
    conn.query(
        "INSERT INTO jobs (id, account_id, environment_id, workspace_id, run_id, kind, pool_id,
            status, priority, attempt, epoch, directive, created_at)
         VALUES ($1, $2, $3, $4, $5, 'plan', $6, 'leased', 0, 1, 1, 'continue', $7)",
    )
    .bind(&run.job)
    .bind(&workspace.account_id)
    .bind(&workspace.environment_id)
    .bind(&workspace.id)
    .bind(&run.id)
    .bind(pool)
    .bind(now)
    .execute()
    .await
    .unwrap();
}
