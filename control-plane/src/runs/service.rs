//! Use cases that read runs; making one is in `create`, what people do to one in `actions`.

use domain::access::ActorKind;
use domain::ids::{ApplyId, BlobId, PlanId, RunId, WorkspaceId};
use domain::permission::Permission;

use super::error::RunError;
use super::model::{Run, RunEvent, RunFilter};
use super::{artefact_store, store};
use crate::app::App;
use crate::context::{Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::iam::{Authorized, Target, Visible, authorize, authorize_list};
use crate::tenancy::{self, Environment};
use crate::workspaces::{self, WorkspaceKey};

type Result<T> = std::result::Result<T, RunError>;

pub(super) fn authorize_run(
    ctx: &Context,
    permission: Permission,
    run: &Run,
) -> Result<Authorized> {
    let target = Target::new("runs", &run.id)
        .in_environment(&run.environment_id)
        .in_project(&run.project_id)
        .in_workspace(&run.workspace_id);
    Ok(authorize(ctx, permission, target)?)
}

/// Reads a run that the caller may see.
///
/// # Errors
/// [`RunError::NotFound`] or the refusal.
pub async fn read(app: &App, ctx: &Context, id: &RunId) -> Result<Run> {
    load(app, ctx, id, Permission::RunsRead)
        .await
        .map(|(run, _)| run)
}

pub(super) async fn load(
    app: &App,
    ctx: &Context,
    id: &RunId,
    permission: Permission,
) -> Result<(Run, Authorized)> {
    let mut conn = app.db.acquire().await?;
    let run = store::find(&mut conn, &ctx.tenant(), id)
        .await?
        .ok_or(RunError::NotFound)?;
    let proof = authorize_run(ctx, permission, &run)?;
    Ok((run, proof))
}

pub async fn read_by_plan(app: &App, ctx: &Context, id: &PlanId) -> Result<Run> {
    let mut conn = app.db.acquire().await?;
    let run = store::find_by_plan(&mut conn, &ctx.tenant(), id)
        .await?
        .ok_or(RunError::NotFound)?;
    authorize_run(ctx, Permission::RunsRead, &run)?;
    Ok(run)
}

pub async fn read_by_apply(app: &App, ctx: &Context, id: &ApplyId) -> Result<Run> {
    let mut conn = app.db.acquire().await?;
    let run = store::find_by_apply(&mut conn, &ctx.tenant(), id)
        .await?
        .ok_or(RunError::NotFound)?;
    authorize_run(ctx, Permission::RunsRead, &run)?;
    Ok(run)
}

/// The run behind a signed log URL: its bearer has no token.
///
/// # Errors
/// [`RunError::NotFound`].
pub async fn of_phase(app: &App, plan_or_apply: &str) -> Result<Run> {
    let mut conn = app.db.acquire().await?;
    let (account, run) = store::account_of_phase(&mut conn, plan_or_apply)
        .await?
        .ok_or(RunError::NotFound)?;
    store::find(&mut conn, &Tenant::of_row(&account), &run)
        .await?
        .ok_or(RunError::NotFound)
}

/// The JSON plan with sensitive values in clear needs a permission of its own.
///
/// # Errors
/// The refusal.
pub fn may_read_json_plan(ctx: &Context, run: &Run) -> Result<()> {
    authorize_run(ctx, Permission::PlansReadJson, run).map(drop)
}

pub async fn list_of_workspace(
    app: &App,
    ctx: &Context,
    workspace: &WorkspaceId,
    filter: RunFilter,
    page: Page,
) -> Result<Paged<Run>> {
    let mut conn = app.db.acquire().await?;
    let key = WorkspaceKey::Id(workspace.clone());
    let (workspace, _) = workspaces::load(&mut conn, ctx, &key, Permission::RunsRead).await?;
    let filter = RunFilter {
        workspace: Some(workspace.id),
        ..filter
    };
    Ok(store::list(&mut conn, &ctx.tenant(), &filter, page).await?)
}

/// An environment, and which of its runs the caller may see.
async fn environment(
    conn: &mut db::Conn,
    ctx: &Context,
    name: &str,
) -> Result<(Environment, Visible)> {
    let found = tenancy::find_environment(conn, &ctx.tenant(), name)
        .await?
        .ok_or(RunError::NotFound)?;
    let target = Target::new("organizations", &found.name).in_environment(&found.id);
    let visible = authorize_list(ctx, Permission::RunsRead, target)?;
    Ok((found, visible))
}

pub async fn list_of_environment(
    app: &App,
    ctx: &Context,
    name: &str,
    filter: RunFilter,
    page: Page,
) -> Result<Paged<Run>> {
    let mut conn = app.db.acquire().await?;
    let (found, visible) = environment(&mut conn, ctx, name).await?;
    let filter = RunFilter {
        environment: Some(found.id),
        visible,
        ..filter
    };
    Ok(store::list(&mut conn, &ctx.tenant(), &filter, page).await?)
}

/// Runs that wait, in dispatch order.
///
/// # Errors
/// [`RunError::NotFound`] or the refusal.
pub async fn waiting(app: &App, ctx: &Context, name: &str, page: Page) -> Result<Paged<Run>> {
    let mut conn = app.db.acquire().await?;
    let (found, visible) = environment(&mut conn, ctx, name).await?;
    Ok(store::queue(&mut conn, &ctx.tenant(), &found.id, &visible, page).await?)
}

/// How many runs wait and how many are at work.
///
/// # Errors
/// [`RunError::NotFound`] or the refusal.
pub async fn capacity(app: &App, ctx: &Context, name: &str) -> Result<(i64, i64)> {
    let mut conn = app.db.acquire().await?;
    let (found, _) = environment(&mut conn, ctx, name).await?;
    Ok(store::capacity(&mut conn, &ctx.tenant(), &found.id).await?)
}

pub async fn events(app: &App, ctx: &Context, id: &RunId) -> Result<Vec<RunEvent>> {
    let run = read(app, ctx, id).await?;
    let mut conn = app.db.acquire().await?;
    Ok(store::events(&mut conn, &ctx.tenant(), &run.id).await?)
}

/// Whether the run was made by a person, and which.
pub fn creator(run: &Run) -> Option<&str> {
    (run.created_by_kind == ActorKind::User).then_some(run.created_by_id.as_str())
}

/// Binds an artefact that a plan job brought to its run. `kind` is the protocol's word.
///
/// # Errors
/// The database's own.
pub(crate) async fn attach_artefact(
    tx: &mut db::Tx,
    tenant: &Tenant,
    run: &RunId,
    kind: &str,
    blob: &BlobId,
) -> Result<()> {
    let artefact = match kind {
        "plan-archive" => artefact_store::Artefact::Archive,
        "plan-json" => artefact_store::Artefact::Json,
        "plan-json-redacted" => artefact_store::Artefact::Redacted,
        "provider-schemas" => artefact_store::Artefact::Schemas,
        _ => {
            return Err(RunError::Invalid {
                pointer: "kind".to_owned(),
                detail: format!("{kind:?} is no artefact of a plan"),
            });
        }
    };
    artefact_store::set_artefact(tx, tenant, run, artefact, blob).await?;
    crate::objects::own(tx, tenant, blob).await?;
    Ok(())
}

/// A run of the tenant, for use cases that have authorised otherwise.
pub(crate) async fn find(conn: &mut db::Conn, tenant: &Tenant, id: &RunId) -> Result<Option<Run>> {
    Ok(store::find(conn, tenant, id).await?)
}
