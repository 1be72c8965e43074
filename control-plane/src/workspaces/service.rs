//! Use cases: begin → load → authorise → decide → compare-and-set → audit → commit, in one
//! transaction each.

use domain::Secret;
use domain::ids::{
    ConfigurationVersionId, ProjectId, RunId, RunnerPoolId, StateVersionId, WorkspaceId,
};
use domain::permission::Permission;
use domain::workspace::LockKind;
use serde_json::json;

use super::error::WorkspaceError;
use super::git::NewGitSource;
use super::lock::Lock;
use super::lock_service::set_lock;
use super::model::{Filter, Workspace, WorkspaceKey, valid_name};
use super::settings::{Settings, SettingsChange};
use super::store;
use super::tag_store;
use super::tags::TagBinding;
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::iam::{Authorized, Denied, Target, authorize, authorize_list};
use crate::tenancy::{self, SealedPlace};

type Result<T> = std::result::Result<T, WorkspaceError>;

/// What a create asks for.
#[derive(Debug, Default)]
pub struct NewWorkspace {
    pub name: String,
    pub project: Option<ProjectId>,
    pub pool: Option<RunnerPoolId>,
    /// It must have a pool of its own choice.
    pub agent: bool,
    pub settings: SettingsChange,
    pub git: Option<NewGitSource>,
    pub tags: Vec<TagBinding>,
}

/// What an update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub struct WorkspaceChange {
    pub name: Option<String>,
    pub project: Option<ProjectId>,
    pub pool: Option<Option<RunnerPoolId>>,
    /// It must have a pool of its own choice.
    pub agent: bool,
    pub git: Option<Option<NewGitSource>>,
    pub settings: SettingsChange,
}

/// May the caller do `permission` on `workspace`?
///
/// # Errors
/// [`Denied`].
pub fn authorize_on(
    ctx: &Context,
    permission: Permission,
    workspace: &Workspace,
) -> std::result::Result<Authorized, Denied> {
    let target = Target::new("workspaces", &workspace.id)
        .in_environment(&workspace.environment_id)
        .in_project(&workspace.project_id)
        .in_workspace(&workspace.id);
    authorize(ctx, permission, target)
}

/// Loads a workspace that the caller may do `permission` on.
///
/// # Errors
/// [`WorkspaceError::NotFound`] or the refusal.
pub async fn load(
    conn: &mut db::Conn,
    ctx: &Context,
    key: &WorkspaceKey,
    permission: Permission,
) -> Result<(Workspace, Authorized)> {
    let workspace = store::find(conn, &ctx.tenant(), key)
        .await?
        .ok_or(WorkspaceError::NotFound)?;
    let proof = authorize_on(ctx, permission, &workspace)?;
    Ok((workspace, proof))
}

/// Loads a workspace for changing it: its row is locked until `tx` ends.
///
/// # Errors
/// As [`load`].
pub async fn load_locked(
    tx: &mut db::Tx,
    ctx: &Context,
    id: &WorkspaceId,
    permission: Permission,
) -> Result<(Workspace, Authorized)> {
    store::lock_row(tx, id).await?;
    load(tx, ctx, &WorkspaceKey::Id(id.clone()), permission).await
}

pub async fn create(
    app: &App,
    ctx: &Context,
    environment: &str,
    new: NewWorkspace,
) -> Result<Workspace> {
    if !valid_name(&new.name) {
        return Err(WorkspaceError::invalid(
            "name",
            format!(
                "{:?}: use 1 to 90 letters, digits, dashes and underscores",
                new.name
            ),
        ));
    }
    let settings = Settings::default().with(new.settings)?;
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let environment = tenancy::find_environment(&mut tx, &tenant, environment)
        .await?
        .ok_or(WorkspaceError::NotFound)?;
    let project = tenancy::find_project(&mut tx, &tenant, &environment.id, new.project.as_ref())
        .await?
        .ok_or_else(|| WorkspaceError::Invalid {
            pointer: "/data/relationships/project".to_owned(),
            detail: "no such project in this environment".to_owned(),
        })?;
    let id = WorkspaceId::random();
    let target = Target::new("workspaces", &id)
        .in_environment(&environment.id)
        .in_project(&project.id)
        .in_workspace(&id);
    let proof = authorize(ctx, Permission::WorkspacesCreate, target)?;
    check_pool(&mut tx, &tenant, new.pool.as_ref()).await?;
    check_agent(new.agent, new.pool.as_ref())?;
    let now = ctx.now();
    let workspace = Workspace {
        id,
        account_id: tenant.account().clone(),
        environment_id: environment.id,
        environment_name: environment.name,
        project_id: project.id,
        name: new.name,
        settings,
        git: new.git.as_ref().map(|git| git.source.clone()),
        pool_id: new.pool,
        lock: None,
        current_run_id: None,
        current_state_version_id: None,
        current_configuration_version_id: None,
        resource_count: 0,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    store::insert(&mut tx, &tenant, &workspace)
        .await
        .map_err(name_taken)?;
    for tag in &new.tags {
        tag_store::bind_tag(&mut tx, &tenant, &workspace.id, tag).await?;
    }
    if let Some(token) = new.git.and_then(|git| git.token) {
        seal_git_token(app, &mut tx, &tenant, &workspace.id, &token).await?;
    }
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "workspace.create",
        json!({ "name": workspace.name }),
    )
    .await?;
    tx.commit().await?;
    Ok(workspace)
}

async fn seal_git_token(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    id: &WorkspaceId,
    token: &Secret,
) -> Result<()> {
    let place = SealedPlace::new("workspace-git-token", id);
    let sealed = app
        .keys
        .seal(tx, tenant, &place, token.expose().as_bytes())
        .await?;
    Ok(store::set_git_token(tx, tenant, id, &sealed).await?)
}

/// The token that a workspace's repository is fetched with.
pub async fn git_token(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &WorkspaceId,
) -> Result<Option<Secret>> {
    let Some(sealed) = store::git_token(conn, tenant, id).await? else {
        return Ok(None);
    };
    let place = SealedPlace::new("workspace-git-token", id);
    Ok(Some(
        app.keys.open_text(conn, tenant, &place, &sealed).await?,
    ))
}

async fn check_pool(tx: &mut db::Tx, tenant: &Tenant, pool: Option<&RunnerPoolId>) -> Result<()> {
    match pool {
        Some(id) if !tenancy::pool_exists(tx, tenant, id).await? => Err(WorkspaceError::invalid(
            "agent-pool-id",
            "no such runner pool in this account",
        )),
        Some(_) | None => Ok(()),
    }
}

fn check_agent(agent: bool, pool: Option<&RunnerPoolId>) -> Result<()> {
    if agent && pool.is_none() {
        return Err(WorkspaceError::invalid(
            "agent-pool-id",
            "the execution mode \"agent\" needs the id of a runner pool",
        ));
    }
    Ok(())
}

fn name_taken(error: db::Error) -> WorkspaceError {
    if error.is_unique_violation() {
        WorkspaceError::NameTaken
    } else {
        error.into()
    }
}

/// Reads a workspace: by permission, or as a run of another one that it shares its state with.
///
/// # Errors
/// [`WorkspaceError::NotFound`] or the refusal.
pub async fn read(app: &App, ctx: &Context, key: &WorkspaceKey) -> Result<Workspace> {
    let mut conn = app.db.acquire().await?;
    let workspace = store::find(&mut conn, &ctx.tenant(), key)
        .await?
        .ok_or(WorkspaceError::NotFound)?;
    match authorize_on(ctx, Permission::WorkspacesRead, &workspace) {
        Ok(_) => Ok(workspace),
        Err(_) if shares_state_with(&mut conn, ctx, &workspace).await? => Ok(workspace),
        Err(denied) => Err(denied.into()),
    }
}

/// Whether the caller is a run of another workspace of the same environment, and `workspace` lets
/// such runs read the outputs of its state.
///
/// # Errors
/// The database's own.
pub async fn shares_state_with(
    conn: &mut db::Conn,
    ctx: &Context,
    workspace: &Workspace,
) -> Result<bool> {
    let Some(scope) = ctx
        .actor
        .run
        .as_ref()
        .filter(|_| workspace.settings.global_remote_state)
    else {
        return Ok(false);
    };
    let consumer = find(conn, &ctx.tenant(), &scope.workspace).await?;
    Ok(consumer.is_some_and(|consumer| consumer.environment_id == workspace.environment_id))
}

pub async fn list(
    app: &App,
    ctx: &Context,
    environment: &str,
    filter: &Filter,
    page: Page,
) -> Result<Paged<Workspace>> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let environment = tenancy::find_environment(&mut conn, &tenant, environment)
        .await?
        .ok_or(WorkspaceError::NotFound)?;
    let target = Target::new("environments", &environment.id).in_environment(&environment.id);
    let visible = authorize_list(ctx, Permission::WorkspacesRead, target)?;
    Ok(store::list(&mut conn, &tenant, &environment.id, filter, &visible, page).await?)
}

/// Whoever moves a workspace must be allowed to make one where it comes to, and may not gain anything
/// over it by what they are granted there.
fn check_move(
    ctx: &Context,
    workspace: &Workspace,
    project: &ProjectId,
) -> std::result::Result<(), Denied> {
    let there = Workspace {
        project_id: project.clone(),
        ..workspace.clone()
    };
    authorize_on(ctx, Permission::WorkspacesCreate, &there)?;
    Permission::ALL
        .iter()
        .copied()
        .filter(|it| authorize_on(ctx, *it, &there).is_ok())
        .try_for_each(|it| authorize_on(ctx, it, workspace).map(drop))
}

pub async fn update(
    app: &App,
    ctx: &Context,
    key: &WorkspaceKey,
    change: WorkspaceChange,
) -> Result<Workspace> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (mut workspace, proof) = load(&mut tx, ctx, key, Permission::WorkspacesUpdate).await?;
    let before = workspace.clone();
    if let Some(name) = change.name {
        if !valid_name(&name) {
            return Err(WorkspaceError::invalid(
                "name",
                format!("{name:?}: use 1 to 90 letters, digits, dashes and underscores"),
            ));
        }
        workspace.name = name;
    }
    if let Some(project) = change.project {
        let found =
            tenancy::find_project(&mut tx, &tenant, &workspace.environment_id, Some(&project))
                .await?
                .ok_or_else(|| WorkspaceError::invalid("project", "no such project here"))?;
        if found.id != workspace.project_id {
            check_move(ctx, &workspace, &found.id)?;
            workspace.project_id = found.id;
        }
    }
    if let Some(pool) = change.pool {
        check_pool(&mut tx, &tenant, pool.as_ref()).await?;
        workspace.pool_id = pool;
    }
    check_agent(change.agent, workspace.pool_id.as_ref())?;
    if let Some(git) = change.git {
        if let Some(token) = git.as_ref().and_then(|git| git.token.as_ref()) {
            seal_git_token(app, &mut tx, &tenant, &workspace.id, token).await?;
        }
        workspace.git = git.map(|git| git.source);
    }
    workspace.settings = workspace.settings.with(change.settings)?;
    workspace.updated_at = ctx.now();
    if !store::update(&mut tx, &tenant, &workspace)
        .await
        .map_err(name_taken)?
    {
        return Err(WorkspaceError::Changed);
    }
    workspace.version += 1;
    let detail = json!({ "before": before.settings, "after": workspace.settings,
        "name": [before.name, workspace.name], "pool": [before.pool_id, workspace.pool_id] });
    audit::record(&mut tx, ctx, &proof, "workspace.update", detail).await?;
    tx.commit().await?;
    Ok(workspace)
}

/// How much a delete may take with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// Refused while resources are managed or the workspace is locked.
    Safe,
    /// Whatever it manages is forgotten.
    Forced,
}

pub async fn delete(
    app: &App,
    ctx: &Context,
    key: &WorkspaceKey,
    deletion: Deletion,
) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (workspace, proof) = load(&mut tx, ctx, key, Permission::WorkspacesDelete).await?;
    store::lock_row(&mut tx, &workspace.id).await?;
    match (&workspace.lock, deletion) {
        (Some(lock), _) if lock.kind == LockKind::Run => return Err(WorkspaceError::HeldByRun),
        (Some(_), Deletion::Safe) => return Err(WorkspaceError::DeleteLocked),
        (None, Deletion::Safe) if workspace.resource_count > 0 => {
            return Err(WorkspaceError::StillManaging);
        }
        (Some(_), Deletion::Forced) | (None, _) => {}
    }
    store::delete(&mut tx, &tenant, &workspace.id).await?;
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "workspace.delete",
        json!({ "name": workspace.name }),
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

// ── for the slices above, inside their transactions ────────────────────────────────────────────

/// Takes the workspace for a run that is about to change its state, or gives it back (`None`).
///
/// # Errors
/// [`WorkspaceError::Changed`] when somebody was quicker.
pub async fn hold_for_run(
    tx: &mut db::Tx,
    tenant: &Tenant,
    workspace: &mut Workspace,
    lock: Option<Lock>,
) -> Result<()> {
    set_lock(tx, tenant, workspace, lock).await
}

/// Locks the workspace's row until `tx` ends and loads it, for work of the control plane itself.
pub async fn lock_and_find(
    tx: &mut db::Tx,
    tenant: &Tenant,
    id: &WorkspaceId,
) -> Result<Option<Workspace>> {
    store::lock_row(tx, id).await?;
    Ok(store::find(tx, tenant, &WorkspaceKey::Id(id.clone())).await?)
}

/// Finds a workspace of the tenant without asking for a permission: for use cases that have
/// authorised on an object of it.
pub async fn find(
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &WorkspaceId,
) -> Result<Option<Workspace>> {
    Ok(store::find(conn, tenant, &WorkspaceKey::Id(id.clone())).await?)
}

pub async fn set_current_run(
    tx: &mut db::Tx,
    tenant: &Tenant,
    id: &WorkspaceId,
    run: Option<&RunId>,
) -> Result<()> {
    Ok(store::set_current_run(tx, tenant, id, run).await?)
}

pub async fn set_current_configuration(
    tx: &mut db::Tx,
    tenant: &Tenant,
    id: &WorkspaceId,
    configuration: &ConfigurationVersionId,
) -> Result<()> {
    Ok(store::set_current_configuration(tx, tenant, id, configuration).await?)
}

pub async fn set_current_state(
    tx: &mut db::Tx,
    tenant: &Tenant,
    id: &WorkspaceId,
    state: &StateVersionId,
    resource_count: i64,
) -> Result<()> {
    Ok(store::set_current_state(tx, tenant, id, state, resource_count).await?)
}

/// The next run number of a workspace. Its row must be locked.
pub async fn next_run_number(tx: &mut db::Tx, tenant: &Tenant, id: &WorkspaceId) -> Result<i64> {
    Ok(store::next_number(tx, tenant, id, store::Counter::Run).await?)
}

/// The next state number of a workspace. Its row must be locked.
pub async fn next_state_number(tx: &mut db::Tx, tenant: &Tenant, id: &WorkspaceId) -> Result<i64> {
    Ok(store::next_number(tx, tenant, id, store::Counter::State).await?)
}
