//! Use cases of environments and projects, and what the slices above look up here.

use domain::ids::{AccountId, EnvironmentId, ProjectId, RunnerPoolId};
use domain::permission::Permission;
use serde_json::json;

use super::error::TenancyError;
use super::model::{Account, Environment, Project};
use super::names::{check_name, check_project_name};
use super::store;
use crate::app::App;
use crate::audit;
use crate::clock::Timestamp;
use crate::context::{Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::iam::{self, Target, authorize, authorize_filtered, authorize_list};

type Result<T> = std::result::Result<T, TenancyError>;

/// The name of the project that every environment has.
pub const DEFAULT_PROJECT: &str = "Default Project";

fn on_environment(environment: &Environment) -> Target {
    Target::new("organizations", &environment.name).in_environment(&environment.id)
}

/// The name of the runner pool that every account has.
const DEFAULT_POOL: &str = "default";

/// Makes an account with its first data key and its default runner pool. For the bootstrap and the
/// operator's commands.
///
/// # Errors
/// The database's or the key's own.
pub async fn create_account(
    app: &App,
    tx: &mut db::Tx,
    name: &str,
    is_default: bool,
) -> Result<Account> {
    let account = Account {
        id: AccountId::random(),
        name: name.to_owned(),
        is_default,
        max_concurrent_runs: None,
        created_at: app.clock.now(),
    };
    store::insert_account(tx, &account).await?;
    app.keys
        .create_key(tx, &account.id, account.created_at)
        .await?;
    let tenant = Tenant::of_row(&account.id);
    insert_pool(tx, &tenant, DEFAULT_POOL, true, account.created_at).await?;
    Ok(account)
}

/// The account of callers whose token and host name name none.
///
/// # Errors
/// The database's own.
pub async fn default_account(conn: &mut db::Conn) -> Result<Option<Account>> {
    Ok(store::default_account(conn).await?)
}

/// Makes an environment with its default project, inside `tx`.
///
/// # Errors
/// [`TenancyError::NameTaken`], or the database's own.
pub async fn insert_environment(
    tx: &mut db::Tx,
    tenant: &Tenant,
    name: &str,
    email: &str,
    now: Timestamp,
) -> Result<Environment> {
    let environment = Environment {
        id: EnvironmentId::random(),
        account_id: tenant.account().clone(),
        name: name.to_owned(),
        email: email.to_owned(),
        max_concurrent_runs: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    store::insert_environment(tx, tenant, &environment)
        .await
        .map_err(name_taken)?;
    let project = new_project(tenant, &environment.id, DEFAULT_PROJECT, "", true, now);
    store::insert_project(tx, tenant, &project).await?;
    Ok(environment)
}

fn new_project(
    tenant: &Tenant,
    environment: &EnvironmentId,
    name: &str,
    description: &str,
    is_default: bool,
    now: Timestamp,
) -> Project {
    Project {
        id: ProjectId::random(),
        account_id: tenant.account().clone(),
        environment_id: environment.clone(),
        name: name.to_owned(),
        description: description.to_owned(),
        is_default,
        created_at: now,
    }
}

fn name_taken(error: db::Error) -> TenancyError {
    if error.is_unique_violation() {
        TenancyError::NameTaken
    } else {
        error.into()
    }
}

pub async fn create_environment(
    app: &App,
    ctx: &Context,
    name: &str,
    email: &str,
) -> Result<Environment> {
    check_name(name)?;
    let proof = authorize(
        ctx,
        Permission::EnvironmentsCreate,
        Target::new("organizations", name),
    )?;
    let mut tx = app.db.begin().await?;
    let environment = insert_environment(&mut tx, &ctx.tenant(), name, email, ctx.now()).await?;
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "environment.create",
        json!({ "name": name }),
    )
    .await?;
    tx.commit().await?;
    Ok(environment)
}

async fn load(
    conn: &mut db::Conn,
    ctx: &Context,
    name: &str,
    permission: Permission,
) -> Result<(Environment, crate::iam::Authorized)> {
    let environment = store::find_environment(conn, &ctx.tenant(), name)
        .await?
        .ok_or(TenancyError::NotFound)?;
    let proof = authorize(ctx, permission, on_environment(&environment))?;
    Ok((environment, proof))
}

pub async fn read_environment(app: &App, ctx: &Context, name: &str) -> Result<Environment> {
    let mut conn = app.db.acquire().await?;
    Ok(load(&mut conn, ctx, name, Permission::EnvironmentsRead)
        .await?
        .0)
}

pub async fn list_environments(
    app: &App,
    ctx: &Context,
    search: Option<&str>,
    page: Page,
) -> Result<Paged<Environment>> {
    let target = Target::new("accounts", &ctx.actor.account);
    let visible = authorize_filtered(ctx, Permission::EnvironmentsRead, target)?;
    let mut conn = app.db.acquire().await?;
    Ok(store::list_environments(&mut conn, &ctx.tenant(), search, &visible, page).await?)
}

/// What an update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub struct EnvironmentChange {
    pub name: Option<String>,
    pub email: Option<String>,
    pub max_concurrent_runs: Option<Option<i64>>,
}

fn check_limit(limit: Option<i64>) -> Result<()> {
    match limit {
        Some(limit) if !(1..=1_000_000).contains(&limit) => Err(TenancyError::Invalid {
            field: "/data/attributes/max-concurrent-runs",
            detail: "use a number from 1 to 1000000, or null for no limit".to_owned(),
        }),
        Some(_) | None => Ok(()),
    }
}

pub async fn update_environment(
    app: &App,
    ctx: &Context,
    name: &str,
    change: EnvironmentChange,
) -> Result<Environment> {
    let mut tx = app.db.begin().await?;
    let (mut environment, proof) = load(&mut tx, ctx, name, Permission::EnvironmentsUpdate).await?;
    if let Some(new_name) = change.name {
        check_name(&new_name)?;
        environment.name = new_name;
    }
    environment.email = change.email.unwrap_or(environment.email);
    if let Some(limit) = change.max_concurrent_runs {
        check_limit(limit)?;
        environment.max_concurrent_runs = limit;
    }
    environment.updated_at = ctx.now();
    let done = store::update_environment(&mut tx, &ctx.tenant(), &environment)
        .await
        .map_err(name_taken)?;
    if !done {
        return Err(TenancyError::Changed);
    }
    environment.version += 1;
    let detail = json!({ "before": name, "name": environment.name, "email": environment.email,
        "max_concurrent_runs": environment.max_concurrent_runs });
    audit::record(&mut tx, ctx, &proof, "environment.update", detail).await?;
    tx.commit().await?;
    Ok(environment)
}

pub async fn delete_environment(app: &App, ctx: &Context, name: &str) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (environment, proof) = load(&mut tx, ctx, name, Permission::EnvironmentsDelete).await?;
    if store::count_workspaces(&mut tx, &tenant, &environment.id, None).await? > 0 {
        return Err(TenancyError::NotEmpty);
    }
    // With the environment go its teams, and what they are granted.
    tx.lock_row("accounts", tenant.account()).await?;
    let before = iam::count_administrators(&mut tx, &tenant).await?;
    store::delete_environment(&mut tx, &tenant, &environment.id).await?;
    if before > 0 && iam::count_administrators(&mut tx, &tenant).await? == 0 {
        return Err(TenancyError::LastAdministrator);
    }
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "environment.delete",
        json!({ "name": name }),
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

// ── projects ───────────────────────────────────────────────────────────────────────────────────

pub async fn list_projects(
    app: &App,
    ctx: &Context,
    environment: &str,
    names: &[&str],
    page: Page,
) -> Result<(Environment, Paged<Project>)> {
    let mut conn = app.db.acquire().await?;
    let tenant = ctx.tenant();
    let environment = store::find_environment(&mut conn, &tenant, environment)
        .await?
        .ok_or(TenancyError::NotFound)?;
    let target = on_environment(&environment);
    let visible = authorize_list(ctx, Permission::ProjectsRead, target)?;
    let of = &environment.id;
    let found = store::list_projects(&mut conn, &tenant, of, names, &visible, page).await?;
    Ok((environment, found))
}

pub async fn create_project(
    app: &App,
    ctx: &Context,
    environment: &str,
    name: &str,
    description: &str,
) -> Result<(Environment, Project)> {
    check_project_name(name)?;
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (environment, proof) = load(&mut tx, ctx, environment, Permission::ProjectsCreate).await?;
    let project = new_project(
        &tenant,
        &environment.id,
        name,
        description,
        false,
        ctx.now(),
    );
    store::insert_project(&mut tx, &tenant, &project)
        .await
        .map_err(name_taken)?;
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "project.create",
        json!({ "name": name }),
    )
    .await?;
    tx.commit().await?;
    Ok((environment, project))
}

async fn load_project(
    conn: &mut db::Conn,
    ctx: &Context,
    id: &ProjectId,
    permission: Permission,
) -> Result<(Environment, Project, crate::iam::Authorized)> {
    let tenant = ctx.tenant();
    let project = store::find_project(conn, &tenant, id)
        .await?
        .ok_or(TenancyError::NotFound)?;
    let environment = store::find_environment(conn, &tenant, project.environment_id.as_str())
        .await?
        .ok_or(TenancyError::NotFound)?;
    let target = Target::new("projects", id)
        .in_environment(&environment.id)
        .in_project(id);
    let proof = authorize(ctx, permission, target)?;
    Ok((environment, project, proof))
}

pub async fn read_project(
    app: &App,
    ctx: &Context,
    id: &ProjectId,
) -> Result<(Environment, Project)> {
    let mut conn = app.db.acquire().await?;
    let (environment, project, _) =
        load_project(&mut conn, ctx, id, Permission::ProjectsRead).await?;
    Ok((environment, project))
}

pub async fn update_project(
    app: &App,
    ctx: &Context,
    id: &ProjectId,
    name: Option<String>,
    description: Option<String>,
) -> Result<(Environment, Project)> {
    let mut tx = app.db.begin().await?;
    let (environment, mut project, proof) =
        load_project(&mut tx, ctx, id, Permission::ProjectsUpdate).await?;
    if let Some(name) = name {
        check_project_name(&name)?;
        project.name = name;
    }
    project.description = description.unwrap_or(project.description);
    store::update_project(&mut tx, &ctx.tenant(), &project)
        .await
        .map_err(name_taken)?;
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "project.update",
        json!({ "name": project.name }),
    )
    .await?;
    tx.commit().await?;
    Ok((environment, project))
}

pub async fn delete_project(app: &App, ctx: &Context, id: &ProjectId) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (environment, project, proof) =
        load_project(&mut tx, ctx, id, Permission::ProjectsDelete).await?;
    if project.is_default {
        return Err(TenancyError::DefaultProject);
    }
    if store::count_workspaces(&mut tx, &tenant, &environment.id, Some(id)).await? > 0 {
        return Err(TenancyError::NotEmpty);
    }
    store::delete_project(&mut tx, &tenant, id).await?;
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "project.delete",
        json!({ "name": project.name }),
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

// ── for the slices above ───────────────────────────────────────────────────────────────────────

/// The tenant's own name.
///
/// # Errors
/// The database's own.
pub async fn account_name(
    conn: &mut db::Conn,
    tenant: &Tenant,
) -> std::result::Result<String, db::Error> {
    store::account_name(conn, tenant).await
}

/// An environment of the tenant, by name or id.
///
/// # Errors
/// The database's own.
pub async fn find_environment(
    conn: &mut db::Conn,
    tenant: &Tenant,
    name_or_id: &str,
) -> std::result::Result<Option<Environment>, db::Error> {
    store::find_environment(conn, tenant, name_or_id).await
}

/// A project of an environment; `None` asks for its default one.
///
/// # Errors
/// The database's own.
pub async fn find_project(
    conn: &mut db::Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    id: Option<&ProjectId>,
) -> std::result::Result<Option<Project>, db::Error> {
    let found = match id {
        Some(id) => store::find_project(conn, tenant, id).await?,
        None => store::default_project(conn, tenant, environment).await?,
    };
    Ok(found.filter(|project| project.environment_id == *environment))
}

/// Whether the account has this project, in whichever environment.
///
/// # Errors
/// The database's own.
pub async fn project_exists(
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &ProjectId,
) -> std::result::Result<bool, db::Error> {
    Ok(store::find_project(conn, tenant, id).await?.is_some())
}

/// Whether the account has this runner pool; it stays until `tx` ends.
///
/// # Errors
/// The database's own.
pub async fn pool_exists(
    tx: &mut db::Tx,
    tenant: &Tenant,
    id: &RunnerPoolId,
) -> std::result::Result<bool, db::Error> {
    store::pool_exists(tx, tenant, id).await
}

/// The pool of workspaces that name none.
///
/// # Errors
/// The database's own.
pub async fn default_pool(
    conn: &mut db::Conn,
    tenant: &Tenant,
) -> std::result::Result<Option<RunnerPoolId>, db::Error> {
    store::default_pool(conn, tenant).await
}

/// Makes a runner pool that accepts any sandbox.
///
/// # Errors
/// The database's own.
pub async fn insert_pool(
    conn: &mut db::Conn,
    tenant: &Tenant,
    name: &str,
    is_default: bool,
    now: Timestamp,
) -> std::result::Result<RunnerPoolId, db::Error> {
    let id = RunnerPoolId::random();
    store::insert_pool(conn, tenant, &id, name, is_default, now).await?;
    Ok(id)
}
