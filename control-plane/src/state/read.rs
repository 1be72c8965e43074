//! Reading states: by who may see all of them, and by runs of other workspaces that may see the
//! current outputs.

use std::io;

use bytes::Bytes;
use domain::ids::{RunId, StateVersionId, WorkspaceId};
use domain::permission::Permission;
use domain::workspace::StateStatus;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::error::StateError;
use super::model::{Filter, StateVersion};
use super::prepare::current_of;
use super::store;
use crate::app::App;
use crate::context::{Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::objects::{self, Object, pipe};
use crate::workspaces::{self, Workspace, WorkspaceKey, authorize_on};

type Result<T> = std::result::Result<T, StateError>;

/// How much of a workspace's states a caller may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    All,
    /// The outputs of the current state: a run of another workspace that this one shares with.
    Outputs,
}

/// A version that the caller may see.
#[derive(Debug, Clone)]
pub struct Found {
    pub version: StateVersion,
    pub reach: Reach,
}

/// How far the caller sees into `workspace`.
///
/// # Errors
/// The refusal of `permission`.
pub(super) async fn reach(
    conn: &mut db::Conn,
    ctx: &Context,
    workspace: &Workspace,
    permission: Permission,
) -> Result<Reach> {
    match authorize_on(ctx, permission, workspace) {
        Ok(_) => Ok(Reach::All),
        Err(_) if workspaces::shares_state_with(conn, ctx, workspace).await? => Ok(Reach::Outputs),
        Err(denied) => Err(denied.into()),
    }
}

async fn found(
    conn: &mut db::Conn,
    ctx: &Context,
    workspace: &Workspace,
    version: StateVersion,
    permission: Permission,
) -> Result<Found> {
    let reach = reach(conn, ctx, workspace, permission).await?;
    let is_current = workspace.current_state_version_id.as_ref() == Some(&version.id);
    if reach == Reach::Outputs && !is_current {
        return Err(StateError::NotFound);
    }
    Ok(Found { version, reach })
}

/// A version, for `permission` on its workspace.
///
/// # Errors
/// [`StateError::NotFound`] or the refusal.
pub async fn find(
    app: &App,
    ctx: &Context,
    id: &StateVersionId,
    permission: Permission,
) -> Result<Found> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let version = store::find(&mut conn, &tenant, id)
        .await?
        .ok_or(StateError::NotFound)?;
    let workspace = workspaces::find(&mut conn, &tenant, &version.workspace_id)
        .await?
        .ok_or(StateError::NotFound)?;
    found(&mut conn, ctx, &workspace, version, permission).await
}

/// The current state of a workspace.
///
/// # Errors
/// [`StateError::NotFound`] when there is none, or the refusal.
pub async fn current(app: &App, ctx: &Context, workspace: &WorkspaceId) -> Result<Found> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let workspace = workspaces::find(&mut conn, &tenant, workspace)
        .await?
        .ok_or(StateError::NotFound)?;
    let permission = Permission::StateVersionsReadOutputs;
    reach(&mut conn, ctx, &workspace, permission).await?;
    let version = current_of(&mut conn, &tenant, &workspace)
        .await?
        .ok_or(StateError::NotFound)?;
    found(&mut conn, ctx, &workspace, version, permission).await
}

/// A workspace's versions, newest first; those that were current once unless the filter names
/// another status.
///
/// # Errors
/// [`StateError::NotFound`] or the refusal.
pub async fn list(
    app: &App,
    ctx: &Context,
    workspace: &WorkspaceKey,
    filter: &Filter,
    page: Page,
) -> Result<Paged<StateVersion>> {
    let mut conn = app.db.acquire().await?;
    let permission = Permission::StateVersionsReadOutputs;
    let (workspace, _) = workspaces::load(&mut conn, ctx, workspace, permission).await?;
    let filter = Filter {
        status: filter.status.or(Some(StateStatus::Finalized)),
        ..filter.clone()
    };
    Ok(store::list(&mut conn, &ctx.tenant(), &workspace.id, &filter, page).await?)
}

/// A state's bytes on their way out.
pub struct Download {
    /// Changes with the bytes.
    pub tag: String,
    /// Nothing when it is made while it goes out.
    pub size: Option<u64>,
    pub content: BoxStream<'static, io::Result<Bytes>>,
}

impl Download {
    fn whole(object: &Object) -> Self {
        Self {
            tag: object.md5().to_owned(),
            size: Some(object.size()),
            content: object.stream_from(0).boxed(),
        }
    }

    /// Streams: a state is reduced while it is sent.
    fn reduced(object: &Object) -> Self {
        let content = pipe::through(object.stream_from(0), |state, out| {
            terraform::state::reduce_to_outputs(state, out)
                .map(|_| ())
                .map_err(io::Error::other)
        });
        Self {
            tag: format!("{}-outputs", object.md5()),
            size: None,
            content: content.boxed(),
        }
    }
}

/// The raw state: all of it, or reduced to its outputs for a run that it is shared with.
///
/// # Errors
/// [`StateError::NotFound`] when the bytes have not come, or the refusal;
/// [`StateError::EncryptedByClient`] when it can't be reduced.
pub async fn download(app: &App, ctx: &Context, id: &StateVersionId) -> Result<Download> {
    let found = find(app, ctx, id, Permission::StateVersionsRead).await?;
    let opaque = found.version.is_opaque();
    let blob = found.version.blob_id.ok_or(StateError::NotFound)?;
    if found.reach == Reach::Outputs && opaque {
        return Err(StateError::EncryptedByClient);
    }
    let object = objects::open(app, &ctx.tenant(), &blob).await?;
    Ok(match found.reach {
        Reach::All => Download::whole(&object),
        Reach::Outputs => Download::reduced(&object),
    })
}

/// The JSON form of a state, if a client has sent one.
///
/// # Errors
/// [`StateError::NotFound`] or the refusal.
pub(super) async fn download_json(
    app: &App,
    ctx: &Context,
    id: &StateVersionId,
) -> Result<Download> {
    let found = find(app, ctx, id, Permission::StateVersionsRead).await?;
    let blob = found.version.json_blob_id.ok_or(StateError::NotFound)?;
    if found.reach == Reach::Outputs {
        return Err(StateError::NotFound);
    }
    Ok(Download::whole(
        &objects::open(app, &ctx.tenant(), &blob).await?,
    ))
}

// ── for the slices above ───────────────────────────────────────────────────────────────────────

/// The current state of a workspace with its bytes, for a runner to start from.
///
/// # Errors
/// The database's or the object store's own.
pub async fn open_current(
    app: &App,
    tenant: &Tenant,
    workspace: &WorkspaceId,
) -> Result<Option<(StateVersion, Object)>> {
    let mut conn = app.db.acquire().await?;
    let workspace = workspaces::find(&mut conn, tenant, workspace)
        .await?
        .ok_or(StateError::NotFound)?;
    let current = current_of(&mut conn, tenant, &workspace).await?;
    drop(conn);
    let Some(version) = current else {
        return Ok(None);
    };
    let blob = version.blob_id.clone().ok_or(StateError::NotFound)?;
    let object = objects::open(app, tenant, &blob).await?;
    Ok(Some((version, object)))
}

/// The current state of a workspace, without its bytes.
///
/// # Errors
/// The database's own.
pub async fn current_version(
    conn: &mut db::Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
) -> Result<Option<StateVersion>> {
    let workspace = workspaces::find(conn, tenant, workspace)
        .await?
        .ok_or(StateError::NotFound)?;
    current_of(conn, tenant, &workspace).await
}

/// The states that a run made current, oldest first.
///
/// # Errors
/// The database's own.
pub async fn of_run(
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &RunId,
) -> Result<Vec<StateVersionId>> {
    Ok(store::ids_of_run(conn, tenant, run).await?)
}
