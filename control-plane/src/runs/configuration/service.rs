//! Use cases of configuration versions.

use std::collections::BTreeMap;

use domain::ids::{BlobId, ConfigurationVersionId, WorkspaceId};
use domain::permission::Permission;
use domain::workspace::ConfigurationStatus as Status;
use serde_json::json;
use tokio::io::AsyncRead;

use super::model::{ConfigurationVersion, Fetched};
use super::store;
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::{Actor, Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::iam::{Target, authorize};
use crate::objects::{self, Object, Stored};
use crate::runs::error::RunError;
use crate::runs::model::Run;
use crate::workspaces::{self, GitSource, Workspace, WorkspaceKey};
use crate::{archive, audit};

type Result<T> = std::result::Result<T, RunError>;

/// What a create asks for.
#[derive(Debug, Clone)]
pub struct NewConfiguration {
    pub speculative: bool,
    pub provisional: bool,
    pub auto_queue_runs: bool,
    pub source: String,
}

fn blank(
    ctx: &Context,
    workspace: &Workspace,
    new: NewConfiguration,
    git: Option<&GitSource>,
) -> ConfigurationVersion {
    let now = ctx.now();
    ConfigurationVersion {
        id: ConfigurationVersionId::random(),
        account_id: workspace.account_id.clone(),
        workspace_id: workspace.id.clone(),
        status: Status::Pending,
        source: new.source,
        speculative: new.speculative,
        provisional: new.provisional,
        auto_queue_runs: new.auto_queue_runs,
        blob_id: None,
        size: None,
        git: git.map(|git| Fetched {
            url: git.url.clone(),
            reference: git.reference.clone(),
            ..Fetched::default()
        }),
        error_message: None,
        timestamps: BTreeMap::from([("queued-at".to_owned(), now)]),
        created_by: ctx.actor.id.clone(),
        created_at: now,
    }
}

/// Announces a configuration; its bytes follow at the signed URL.
///
/// # Errors
/// The refusal, or the database's own.
pub async fn create(
    app: &App,
    ctx: &Context,
    workspace: &WorkspaceId,
    new: NewConfiguration,
) -> Result<ConfigurationVersion> {
    let mut tx = app.db.begin().await?;
    let key = WorkspaceKey::Id(workspace.clone());
    let (workspace, proof) =
        workspaces::load(&mut tx, ctx, &key, Permission::ConfigurationVersionsCreate).await?;
    let version = blank(ctx, &workspace, new, None);
    store::insert(&mut tx, &ctx.tenant(), &version).await?;
    let detail = json!({ "id": version.id, "speculative": version.speculative });
    audit::record(&mut tx, ctx, &proof, "configuration-version.create", detail).await?;
    tx.commit().await?;
    Ok(version)
}

/// A version whose bytes a runner will fetch from the workspace's repository.
pub(crate) async fn create_to_fetch(
    tx: &mut db::Tx,
    ctx: &Context,
    workspace: &Workspace,
    git: &GitSource,
    speculative: bool,
) -> Result<ConfigurationVersion> {
    let new = NewConfiguration {
        speculative,
        provisional: false,
        auto_queue_runs: false,
        source: "git".to_owned(),
    };
    let mut version = blank(ctx, workspace, new, Some(git));
    version.status = Status::Fetching;
    store::insert(tx, &ctx.tenant(), &version).await?;
    Ok(version)
}

/// Reads one that the caller may see.
///
/// # Errors
/// [`RunError::NotFound`] or the refusal.
pub async fn read(
    app: &App,
    ctx: &Context,
    id: &ConfigurationVersionId,
) -> Result<ConfigurationVersion> {
    let mut conn = app.db.acquire().await?;
    let version = store::find(&mut conn, &ctx.tenant(), id)
        .await?
        .ok_or(RunError::NotFound)?;
    let workspace = workspaces::find(&mut conn, &ctx.tenant(), &version.workspace_id)
        .await?
        .ok_or(RunError::NotFound)?;
    let target = Target::new("configuration-versions", id)
        .in_environment(&workspace.environment_id)
        .in_project(&workspace.project_id)
        .in_workspace(&workspace.id);
    authorize(ctx, Permission::ConfigurationVersionsRead, target)?;
    Ok(version)
}

pub async fn list(
    app: &App,
    ctx: &Context,
    workspace: &WorkspaceId,
    page: Page,
) -> Result<Paged<ConfigurationVersion>> {
    let mut conn = app.db.acquire().await?;
    let key = WorkspaceKey::Id(workspace.clone());
    let (workspace, _) =
        workspaces::load(&mut conn, ctx, &key, Permission::ConfigurationVersionsRead).await?;
    Ok(store::list(&mut conn, &ctx.tenant(), &workspace.id, page).await?)
}

/// The archive's bytes.
///
/// # Errors
/// [`RunError::NotFound`] when there are none.
pub async fn open(app: &App, ctx: &Context, id: &ConfigurationVersionId) -> Result<Object> {
    let version = read(app, ctx, id).await?;
    let blob = version.blob_id.ok_or(RunError::NotFound)?;
    Ok(objects::open(app, &ctx.tenant(), &blob).await?)
}

/// The tenant of a configuration version named by a signed URL.
///
/// # Errors
/// [`RunError::NotFound`].
pub async fn tenant_of(app: &App, id: &ConfigurationVersionId) -> Result<Tenant> {
    let mut conn = app.db.acquire().await?;
    let account = store::account_of(&mut conn, id)
        .await?
        .ok_or(RunError::NotFound)?;
    Ok(Tenant::of_row(&account))
}

/// Takes the bytes of an announced version, whose bearer a signed URL has proved. Returns it, and
/// whether the upload asks for a run.
///
/// # Errors
/// [`RunError::AlreadyUploaded`], [`RunError::BadArchive`], or too large; a bad archive leaves the
/// version errored with the reason.
pub async fn upload(
    app: &App,
    tenant: &Tenant,
    id: &ConfigurationVersionId,
    body: impl AsyncRead + Send + Unpin,
) -> Result<ConfigurationVersion> {
    let mut conn = app.db.acquire().await?;
    let version = store::find(&mut conn, tenant, id)
        .await?
        .ok_or(RunError::NotFound)?;
    drop(conn);
    if version.status != Status::Pending {
        return Err(RunError::AlreadyUploaded);
    }
    let limit = app.installation.limits.configuration;
    let stored = objects::put(app, tenant, "configuration", body, limit).await?;
    match inspect(app, tenant, &stored.id).await {
        Ok(()) => finalize(app, tenant, version, &stored).await,
        Err(reason) => {
            fail(app, tenant, version, &reason).await?;
            Err(RunError::BadArchive { reason })
        }
    }
}

/// Reads a stored archive through the checks, on a thread of its own.
async fn inspect(app: &App, tenant: &Tenant, blob: &BlobId) -> std::result::Result<(), String> {
    let object = objects::open(app, tenant, blob)
        .await
        .map_err(|error| error.to_string())?;
    let reader = tokio_util::io::StreamReader::new(object.stream_from(0));
    let mut reader = tokio_util::io::SyncIoBridge::new(Box::pin(reader));
    tokio::task::spawn_blocking(move || archive::check(&mut reader))
        .await
        .map_err(|error| error.to_string())?
}

fn stamp(version: &mut ConfigurationVersion, what: &str, now: Timestamp) {
    version.timestamps.insert(what.to_owned(), now);
}

async fn finalize(
    app: &App,
    tenant: &Tenant,
    mut version: ConfigurationVersion,
    stored: &Stored,
) -> Result<ConfigurationVersion> {
    let from = version.status;
    version.status = Status::Uploaded;
    version.blob_id = Some(stored.id.clone());
    version.size = i64::try_from(stored.size).ok();
    stamp(&mut version, "uploaded-at", app.clock.now());
    let mut tx = app.db.begin().await?;
    if !store::save(&mut tx, tenant, &version, from, Some(&stored.sha256)).await? {
        return Err(RunError::AlreadyUploaded);
    }
    objects::own(&mut tx, tenant, &stored.id).await?;
    tx.commit().await?;
    Ok(version)
}

async fn fail(
    app: &App,
    tenant: &Tenant,
    mut version: ConfigurationVersion,
    reason: &str,
) -> Result<()> {
    let from = version.status;
    version.status = Status::Errored;
    version.error_message = Some(reason.to_owned());
    stamp(&mut version, "errored-at", app.clock.now());
    let mut tx = app.db.begin().await?;
    store::save(&mut tx, tenant, &version, from, None).await?;
    tx.commit().await?;
    Ok(())
}

/// The version that a run without one is made from: the workspace's current one, else the newest.
pub(crate) async fn default_for(
    conn: &mut db::Conn,
    tenant: &Tenant,
    workspace: &Workspace,
) -> Result<Option<ConfigurationVersion>> {
    Ok(store::newest_uploaded(conn, tenant, &workspace.id).await?)
}

/// Finds one of the tenant, for use cases that have authorised on its workspace.
pub(crate) async fn find(
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &ConfigurationVersionId,
) -> Result<Option<ConfigurationVersion>> {
    Ok(store::find(conn, tenant, id).await?)
}

/// Binds the archive that a fetch job brought to the run's version. The version becomes usable when
/// the job reports its success.
pub(crate) async fn attach_fetched(
    tx: &mut db::Tx,
    tenant: &Tenant,
    run: &Run,
    stored: &Stored,
) -> Result<()> {
    let mut version = store::find(tx, tenant, &run.configuration_version_id)
        .await?
        .ok_or(RunError::NotFound)?;
    version.blob_id = Some(stored.id.clone());
    version.size = i64::try_from(stored.size).ok();
    if store::save(tx, tenant, &version, Status::Fetching, Some(&stored.sha256)).await? {
        objects::own(tx, tenant, &stored.id).await?;
    }
    Ok(())
}

/// A fetch job has succeeded.
pub(crate) async fn fetched(
    tx: &mut db::Tx,
    ctx: &Context,
    run: &Run,
    what: Option<Fetched>,
) -> Result<()> {
    let tenant = ctx.tenant();
    let mut version = store::find(tx, &tenant, &run.configuration_version_id)
        .await?
        .ok_or(RunError::NotFound)?;
    if version.blob_id.is_none() {
        return Err(RunError::BadArchive {
            reason: "the fetch job brought no archive".to_owned(),
        });
    }
    version.status = Status::Uploaded;
    if let Some(what) = what {
        let known = version.git.take().unwrap_or_default();
        version.git = Some(Fetched {
            url: known.url,
            reference: known.reference,
            ..what
        });
    }
    stamp(&mut version, "fetched-at", ctx.now());
    let sha256: Option<String> = None;
    store::save(tx, &tenant, &version, Status::Fetching, sha256.as_deref()).await?;
    Ok(())
}

/// A fetch job has failed.
pub(crate) async fn fetch_failed(
    tx: &mut db::Tx,
    ctx: &Context,
    run: &Run,
    reason: &str,
) -> Result<()> {
    let tenant = ctx.tenant();
    if let Some(mut version) = store::find(tx, &tenant, &run.configuration_version_id).await? {
        version.status = Status::Errored;
        version.error_message = Some(reason.to_owned());
        store::save(tx, &tenant, &version, Status::Fetching, None).await?;
    }
    Ok(())
}

/// The context in which an upload by signed URL queues a run: its creator's name is on the version.
pub(crate) fn uploader(app: &App, tenant: &Tenant, version: &ConfigurationVersion) -> Context {
    let mut actor = Actor::system(tenant.account(), "configuration upload");
    actor.id = version.created_by.clone();
    Context::new(actor, app.clock.clone())
}
