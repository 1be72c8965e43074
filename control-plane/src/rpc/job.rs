//! What a runner is given when it takes a job.

use chrono::TimeDelta;
use domain::Secret;
use domain::ids::JobId;
use domain::job::JobKind;
use domain::workspace::VariableCategory;
use protocol::v1::{
    ApplyWork, CredentialFile, Credentials, ExecutionSettings, FetchWork, Job as WireJob, PlanWork,
    RenewCredentialsResponse, TerraformSettings, Variable, job,
};

use super::service::Caller;
use crate::app::App;
use crate::context::Tenant;
use crate::iam;
use crate::problem::Fault;
use crate::provider_configurations::{self, Beneficiary};
use crate::run_identity::{Named, Phase, RunFacts};
use crate::runs::jobs::{self, Owner, Taken, TakenFetch, TakenRun};
use crate::runs::{self, RunError, configuration};
use crate::variables::EffectiveVariable;
use crate::workspaces::GitSource;
use crate::{fetches, runners, state, tenancy, variables, workspaces};

type Result<T> = std::result::Result<T, RunError>;

/// Takes the lease and puts together all that the job needs, in one transaction.
///
/// # Errors
/// [`RunError::StaleEpoch`] when the offer is no longer the runner's.
pub(super) async fn take(app: &App, caller: &Caller, id: &JobId, epoch: i64) -> Result<WireJob> {
    let tenant = &caller.tenant;
    let current = current_state(app, caller, id).await?;
    let mut tx = app.db.begin().await?;
    let job = match jobs::acknowledge(app, &mut tx, tenant, &caller.runner, id, epoch).await? {
        Taken::Run(taken) => Box::pin(of_run(app, &mut tx, caller, &taken, &current)).await?,
        Taken::Fetch(taken) => of_fetch(app, &mut tx, caller, *taken).await?,
    };
    tx.commit().await?;
    Ok(job)
}

/// The job of a fetch that is for no run.
async fn of_fetch(
    app: &App,
    tx: &mut db::Tx,
    caller: &Caller,
    taken: TakenFetch,
) -> Result<WireJob> {
    let TakenFetch { job, fetch } = taken;
    let token = fetches::token(app, tx, &caller.tenant, &fetch.id).await?;
    Ok(WireJob {
        id: job.id.to_string(),
        epoch: job.epoch.unsigned_abs(),
        kind: job.kind.to_string(),
        account_id: caller.tenant.account().to_string(),
        work: Some(job::Work::Fetch(work_of(
            fetch.git,
            fetch.commit.unwrap_or_default(),
            token,
        ))),
        ..WireJob::default()
    })
}

/// What to fetch from where.
fn work_of(git: GitSource, commit: String, token: Option<Secret>) -> FetchWork {
    FetchWork {
        configuration_version_id: String::new(),
        url: git.url,
        reference: git.reference,
        commit,
        username: git.username,
        token: token.map(|it| it.expose().clone()).unwrap_or_default(),
        ca_pem: git.ca_pem.unwrap_or_default().into_bytes().into(),
        submodules: git.submodules,
        directory: String::new(),
        known_hosts: git.known_hosts.unwrap_or_default(),
    }
}

/// The job of a run.
async fn of_run(
    app: &App,
    tx: &mut db::Tx,
    caller: &Caller,
    taken: &TakenRun,
    current: &CurrentState,
) -> Result<WireJob> {
    let tenant = &caller.tenant;
    let journal = app.keys.journal_key(tx, tenant, app.clock.now()).await?;
    let work = match taken.job.kind {
        JobKind::Fetch => job::Work::Fetch(fetch_work(app, tx, caller, taken).await?),
        JobKind::Plan => {
            let terraform = terraform(app, tx, caller, taken, current, Phase::Plan).await?;
            job::Work::Plan(PlanWork {
                terraform: Some(terraform),
            })
        }
        JobKind::Apply => {
            let terraform = terraform(app, tx, caller, taken, current, Phase::Apply).await?;
            let plan = taken.run.plan_result.clone().unwrap_or_default();
            job::Work::Apply(ApplyWork {
                terraform: Some(terraform),
                plan_state_mode: plan.state_mode,
                terraform_version: plan.terraform_version,
            })
        }
    };
    let project_name = project_name(tx, tenant, taken).await?;
    let settings = &taken.workspace.settings;
    let demands = runners::demands(tx, &taken.job.pool_id).await?;
    Ok(WireJob {
        id: taken.job.id.to_string(),
        epoch: taken.job.epoch.unsigned_abs(),
        kind: taken.job.kind.to_string(),
        run_id: taken.run.id.to_string(),
        workspace_id: taken.workspace.id.to_string(),
        workspace_name: taken.workspace.name.clone(),
        environment_name: taken.workspace.environment_name.clone(),
        project_name,
        account_id: tenant.account().to_string(),
        journal_public_key: journal.public_key.into(),
        journal_key_id: journal.id,
        timeout_seconds: app.installation.timing.run_timeout,
        execution: Some(ExecutionSettings {
            executor: settings.executor.clone(),
            image: settings.image.clone(),
            minimum_sandbox: demands.minimum_sandbox.as_str().to_owned(),
            refuse_reachable_metadata: demands.refuse_reachable_metadata,
            ..ExecutionSettings::default()
        }),
        work: Some(work),
    })
}

async fn project_name(tx: &mut db::Tx, tenant: &Tenant, taken: &TakenRun) -> Result<String> {
    let workspace = &taken.workspace;
    let project = Some(&workspace.project_id);
    let found = tenancy::find_project(tx, tenant, &workspace.environment_id, project).await?;
    Ok(found.map(|it| it.name).unwrap_or_default())
}

/// The facts of the state that the job starts from.
struct CurrentState {
    serial: i64,
    lineage: String,
    size: u64,
}

async fn current_state(app: &App, caller: &Caller, id: &JobId) -> Result<CurrentState> {
    let none = CurrentState {
        serial: -1,
        lineage: String::new(),
        size: 0,
    };
    let mut conn = app.db.acquire().await?;
    let job = jobs::find(&mut conn, &caller.tenant, id)
        .await?
        .ok_or(RunError::StaleEpoch)?;
    drop(conn);
    let Owner::Run(of) = &job.owner else {
        return Ok(none);
    };
    let found = state::open_current(app, &caller.tenant, &of.workspace_id)
        .await
        .map_err(RunError::from)?;
    Ok(found.map_or(none, |(version, object)| CurrentState {
        serial: version.serial,
        lineage: version.lineage,
        size: object.size(),
    }))
}

async fn fetch_work(
    app: &App,
    tx: &mut db::Tx,
    caller: &Caller,
    taken: &TakenRun,
) -> Result<FetchWork> {
    let git = taken.workspace.git.clone().ok_or_else(|| {
        RunError::invalid_relationship("workspace", "it is bound to no repository any more")
    })?;
    let token = workspaces::git_token(app, tx, &caller.tenant, &taken.workspace.id).await?;
    let version =
        configuration::find(tx, &caller.tenant, &taken.run.configuration_version_id).await?;
    let commit = version
        .and_then(|it| it.git)
        .map(|it| it.commit)
        .unwrap_or_default();
    Ok(FetchWork {
        configuration_version_id: taken.run.configuration_version_id.to_string(),
        ..work_of(git, commit, token)
    })
}

/// How long a run's token is good for without being renewed.
fn token_life(app: &App) -> TimeDelta {
    TimeDelta::seconds(app.installation.timing.run_timeout.into()) + TimeDelta::hours(1)
}

async fn terraform(
    app: &App,
    tx: &mut db::Tx,
    caller: &Caller,
    taken: &TakenRun,
    current: &CurrentState,
    phase: Phase,
) -> Result<TerraformSettings> {
    let (run, workspace) = (&taken.run, &taken.workspace);
    let expires = app.clock.now() + token_life(app);
    let token = iam::issue_run_token(
        tx,
        &caller.tenant,
        &run.id,
        &taken.job.id,
        taken.job.epoch,
        expires,
    )
    .await?;
    let settings = workspace.settings.clone();
    let request = run.request.clone();
    Ok(TerraformSettings {
        engine: settings.engine.to_string(),
        version: request
            .terraform_version
            .unwrap_or(settings.terraform_version),
        working_directory: settings.working_directory,
        run_token: token.text.expose().clone(),
        api_host: api_host(app),
        variables: variables_of(app, tx, caller, taken).await?,
        targets: request.target_addrs,
        replaces: request.replace_addrs,
        refresh: request.refresh,
        refresh_only: request.refresh_only,
        destroy: request.is_destroy,
        generate_config: request.allow_config_generation,
        state_mode: settings.state_mode,
        current_state_bytes: current.size,
        current_serial: current.serial,
        current_lineage: current.lineage.clone(),
        log_format: if request.structured_log {
            "structured"
        } else {
            "text"
        }
        .to_owned(),
        parallelism: 0,
        invoke_actions: Vec::new(),
        credentials: Some(credentials(app, tx, caller, taken, phase).await?),
    })
}

/// What provider configurations give to this phase of the run.
async fn credentials(
    app: &App,
    tx: &mut db::Tx,
    caller: &Caller,
    taken: &TakenRun,
    phase: Phase,
) -> Result<Credentials> {
    let (tenant, workspace) = (&caller.tenant, &taken.workspace);
    let named = |id: &dyn std::fmt::Display, name: &str| Named {
        id: id.to_string(),
        name: name.to_owned(),
    };
    let account = tenancy::account_name(tx, tenant).await?;
    let project = project_name(tx, tenant, taken).await?;
    let facts = RunFacts {
        account: named(tenant.account(), &account),
        environment: named(&workspace.environment_id, &workspace.environment_name),
        project: named(&workspace.project_id, &project),
        workspace: named(&workspace.id, &workspace.name),
        run: taken.run.id.to_string(),
        job: taken.job.id.to_string(),
        epoch: taken.job.epoch,
        phase,
    };
    let of = Beneficiary {
        environment: &workspace.environment_id,
        workspace: &workspace.id,
    };
    let given = provider_configurations::provide(app, tx, tenant, of, &facts)
        .await
        .map_err(|error| {
            tracing::error!(run = %taken.run.id, error = &error as &dyn std::error::Error,
                "provider configurations can't be given to a run");
            Fault::Unreadable {
                what: "the workspace's provider configurations",
            }
        })?;
    let environment = given.environment.into_iter();
    let files = given.files.into_iter().map(|file| CredentialFile {
        path: file.path,
        content: file.content.expose().clone().into_bytes().into(),
    });
    Ok(Credentials {
        environment: environment
            .map(|(key, value, sensitive)| Variable {
                environment: true,
                key,
                value: value.expose().clone(),
                hcl: false,
                sensitive,
                origin: "provider configuration".to_owned(),
            })
            .collect(),
        files: files.collect(),
        secrets: given.secrets.iter().map(|it| it.expose().clone()).collect(),
    })
}

fn api_host(app: &App) -> String {
    let url = &app.installation.public_url;
    let host = url.host_str().unwrap_or("localhost");
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// In rising precedence: what the workspace has or inherits, those given for the run, and what is
/// final.
async fn variables_of(
    app: &App,
    tx: &mut db::Tx,
    caller: &Caller,
    taken: &TakenRun,
) -> Result<Vec<Variable>> {
    let (tenant, workspace) = (&caller.tenant, &taken.workspace);
    let (environment, id) = (&workspace.environment_id, &workspace.id);
    let effective = variables::effective(app, tx, tenant, environment, id)
        .await
        .map_err(|_| Fault::Unreadable {
            what: "the workspace's variables",
        })?;
    let (last_words, inherited): (Vec<_>, Vec<_>) =
        effective.into_iter().partition(|it| it.is_final);
    let given = runs::variables_of(app, tx, tenant, &taken.run.id).await?;
    let given = given.into_iter().map(|it| Variable {
        environment: false,
        key: it.key,
        value: it.value,
        hcl: true,
        sensitive: false,
        origin: "run".to_owned(),
    });
    Ok(inherited
        .into_iter()
        .map(on_the_wire)
        .chain(given)
        .chain(last_words.into_iter().map(on_the_wire))
        .collect())
}

fn on_the_wire(variable: EffectiveVariable) -> Variable {
    Variable {
        environment: variable.category == VariableCategory::Environment,
        key: variable.key,
        value: variable.value.expose().clone(),
        hcl: variable.hcl,
        sensitive: variable.sensitive,
        origin: variable.origin.to_owned(),
    }
}

/// A new token for a job that is still the runner's.
///
/// # Errors
/// [`RunError::StaleEpoch`].
pub(super) async fn fresh_credentials(
    app: &App,
    caller: &Caller,
    id: &JobId,
    epoch: i64,
) -> Result<RenewCredentialsResponse> {
    let expires = app.clock.now() + token_life(app);
    let mut tx = app.db.begin().await?;
    let job = jobs::check_lease(&mut tx, &caller.tenant, &caller.runner, id, epoch).await?;
    let of = match &job.owner {
        Owner::Run(of) => of.clone(),
        Owner::Fetch(fetch) => {
            let token = fetches::token(app, &mut tx, &caller.tenant, fetch).await?;
            return Ok(RenewCredentialsResponse {
                vcs_token: token.map(|it| it.expose().clone()).unwrap_or_default(),
                ..RenewCredentialsResponse::default()
            });
        }
    };
    let token =
        iam::issue_run_token(&mut tx, &caller.tenant, &of.run_id, id, epoch, expires).await?;
    let vcs_token = match job.kind {
        JobKind::Fetch => {
            workspaces::git_token(app, &mut tx, &caller.tenant, &of.workspace_id).await?
        }
        JobKind::Plan | JobKind::Apply => None,
    };
    tx.commit().await?;
    Ok(RenewCredentialsResponse {
        vcs_token: vcs_token.map(|it| it.expose().clone()).unwrap_or_default(),
        run_token: token.text.expose().clone(),
        expires_at: expires.timestamp(),
    })
}
