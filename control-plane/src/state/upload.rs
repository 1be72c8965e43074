//! The bytes of an announced state, at its signed URL. The raw state alone makes it the current one;
//! its JSON form may come before or after, or never.
//!
//! What can't become the current state any more, because the lock was taken away or somebody was
//! quicker while it was on its way, is kept in quarantine.

use chrono::TimeDelta;
use domain::ids::StateVersionId;
use domain::permission::Permission;
use domain::workspace::StateStatus;
use serde_json::json;
use tokio::io::AsyncRead;

use super::copy::STATE;
use super::create::ANNOUNCED_OUTPUTS;
use super::error::StateError;
use super::model::{Announced, StateVersion};
use super::prepare::{Prepared, current_of, make_current, prepare};
use super::rules::{Verdict, check_held, judge};
use super::store;
use crate::app::App;
use crate::audit;
use crate::context::{Actor, Context, Tenant};
use crate::objects::{self, ObjectError, Stored};
use crate::tenancy::SealedPlace;
use crate::workspaces::{self, Workspace, authorize_on};

type Result<T> = std::result::Result<T, StateError>;

/// How long an announced state may take to come.
pub const UPLOAD_WINDOW: TimeDelta = TimeDelta::hours(1);

async fn load(app: &App, id: &StateVersionId) -> Result<(StateVersion, Tenant)> {
    let mut conn = app.db.acquire().await?;
    let version = store::find_signed(&mut conn, id)
        .await?
        .ok_or(StateError::NotFound)?;
    let tenant = Tenant::of_row(&version.account_id);
    Ok((version, tenant))
}

/// Takes the bytes of an announced state, whose bearer a signed URL has proved. The same bytes once
/// more are no error: the answer to the first upload may have been lost.
///
/// # Errors
/// [`StateError::WrongMd5`] and the like end the announcement, so that the workspace can be unlocked;
/// a connection or a store that fails leaves it open for another try.
pub(super) async fn take_state(
    app: &App,
    id: &StateVersionId,
    body: impl AsyncRead + Send + Unpin,
) -> Result<()> {
    let (version, tenant) = load(app, id).await?;
    match version.status {
        StateStatus::Pending => {}
        StateStatus::Finalized => return take_again(app, &tenant, &version, body).await,
        StateStatus::Quarantined | StateStatus::Discarded => return Err(StateError::UploadClosed),
    }
    match Box::pin(take_pending(app, &tenant, &version, body)).await {
        Err(error) if is_final(&error) => {
            discard(app, &tenant, version, &error).await?;
            Err(error)
        }
        other => other,
    }
}

/// Whether the bytes that came can't be what was announced, however often they are sent.
fn is_final(error: &StateError) -> bool {
    matches!(
        error,
        StateError::WrongMd5 { .. }
            | StateError::NotAsAnnounced { .. }
            | StateError::Unreadable { .. }
            | StateError::Object(ObjectError::TooLarge { .. })
    )
}

async fn take_again(
    app: &App,
    tenant: &Tenant,
    version: &StateVersion,
    body: impl AsyncRead + Send + Unpin,
) -> Result<()> {
    let limit = version
        .size
        .and_then(|size| size.try_into().ok())
        .unwrap_or_default();
    let again = Box::pin(objects::put(app, tenant, STATE, body, limit)).await;
    match again {
        Ok(stored) if stored.md5 == version.md5 => Ok(()),
        Ok(_) | Err(ObjectError::TooLarge { .. }) => Err(StateError::UploadClosed),
        Err(error) => Err(error.into()),
    }
}

async fn take_pending(
    app: &App,
    tenant: &Tenant,
    version: &StateVersion,
    body: impl AsyncRead + Send + Unpin,
) -> Result<()> {
    let limit = app.installation.limits.state;
    let stored = objects::put(app, tenant, STATE, body, limit).await?;
    if stored.md5 != version.md5 {
        let announced = version.md5.clone();
        return Err(StateError::WrongMd5 {
            announced,
            got: stored.md5,
        });
    }
    let announced = Announced {
        serial: version.serial,
        lineage: version.lineage.clone(),
        md5: version.md5.clone(),
        size: stored.size,
    };
    let prepared = prepare_announced(app, tenant, version, stored).await?;
    prepared.check_announced(&announced)?;
    settle(app, tenant, &version.id, &announced, &prepared).await
}

async fn prepare_announced(
    app: &App,
    tenant: &Tenant,
    version: &StateVersion,
    stored: Stored,
) -> Result<Prepared> {
    let mut conn = app.db.acquire().await?;
    let outputs = match store::sealed_outputs(&mut conn, tenant, &version.id).await? {
        Some(sealed) => {
            let place = SealedPlace::new(ANNOUNCED_OUTPUTS, &version.id);
            Some(app.keys.open(&mut conn, tenant, &place, &sealed).await?)
        }
        None => None,
    };
    drop(conn);
    let outputs = outputs.as_ref().map(|outputs| outputs.expose().as_slice());
    prepare(app, tenant, stored, outputs).await
}

/// Makes the announced state the current one, or puts it into quarantine.
async fn settle(
    app: &App,
    tenant: &Tenant,
    id: &StateVersionId,
    announced: &Announced,
    prepared: &Prepared,
) -> Result<()> {
    let ctx = Context::new(
        Actor::system(tenant.account(), "state upload"),
        app.clock.clone(),
    );
    let (version, _) = load(app, id).await?;
    let mut tx = app.db.begin().await?;
    let workspace = workspaces::lock_and_find(&mut tx, tenant, &version.workspace_id)
        .await?
        .ok_or(StateError::NotFound)?;
    tx.lock_row("state_versions", id.as_str()).await?;
    let mut version = store::find(&mut tx, tenant, id)
        .await?
        .ok_or(StateError::NotFound)?;
    let from = version.status;
    let obstacle = match from {
        StateStatus::Pending => {
            obstacle(&mut tx, tenant, &workspace, &version, announced, prepared).await?
        }
        StateStatus::Discarded => Some(
            "another state was announced after it, or its time had run out, while it was on its way"
                .to_owned(),
        ),
        // Two uploads of the same bytes at the same time.
        StateStatus::Finalized => return Ok(()),
        StateStatus::Quarantined => return Err(StateError::UploadClosed),
    };
    prepared.describe(&mut version);
    version.status = if obstacle.is_some() {
        StateStatus::Quarantined
    } else {
        StateStatus::Finalized
    };
    version.quarantine_reason.clone_from(&obstacle);
    if !store::settle(&mut tx, tenant, &version, from).await? {
        return Err(StateError::Changed);
    }
    let action = match &obstacle {
        None => {
            make_current(&mut tx, tenant, &version, prepared).await?;
            "state-version.create"
        }
        Some(_) => {
            objects::own(&mut tx, tenant, &prepared.stored.id).await?;
            "state-version.quarantine"
        }
    };
    let proof = authorize_on(&ctx, Permission::StateVersionsCreateOutsideRuns, &workspace)?;
    let detail = json!({ "state_version": version.id, "serial": version.serial,
        "lineage": version.lineage, "md5": version.md5, "announced_by": version.created_by_id,
        "reason": obstacle });
    audit::record(&mut tx, &ctx, &proof, action, detail).await?;
    tx.commit().await?;
    match obstacle {
        None => Ok(()),
        Some(reason) => Err(StateError::Quarantined {
            id: id.to_string(),
            reason,
        }),
    }
}

/// Why an announced state may not become the current one after all.
async fn obstacle(
    tx: &mut db::Tx,
    tenant: &Tenant,
    workspace: &Workspace,
    version: &StateVersion,
    announced: &Announced,
    prepared: &Prepared,
) -> Result<Option<String>> {
    if let Err(error) = check_held(workspace, version.created_by_kind, &version.created_by_id) {
        return Ok(Some(error.to_string()));
    }
    let current = current_of(tx, tenant, workspace).await?;
    let current = current.as_ref().map(StateVersion::identity);
    Ok(
        match judge(current, prepared.identity(announced), version.forced) {
            Verdict::Accept | Verdict::Duplicate => None,
            Verdict::Refuse(refusal) => Some(refusal.to_string()),
        },
    )
}

/// Ends an announcement whose bytes were wrong.
async fn discard(
    app: &App,
    tenant: &Tenant,
    mut version: StateVersion,
    why: &StateError,
) -> Result<()> {
    version.status = StateStatus::Discarded;
    version.quarantine_reason = Some(why.to_string());
    let mut tx = app.db.begin().await?;
    store::settle(&mut tx, tenant, &version, StateStatus::Pending).await?;
    Ok(tx.commit().await?)
}

/// Takes the JSON form of a state, before or after its raw form.
///
/// # Errors
/// [`StateError::UploadClosed`] when it has another one, or the announcement has ended.
pub(super) async fn take_json(
    app: &App,
    id: &StateVersionId,
    body: impl AsyncRead + Send + Unpin,
) -> Result<()> {
    let (version, tenant) = load(app, id).await?;
    if !matches!(
        version.status,
        StateStatus::Pending | StateStatus::Finalized
    ) {
        return Err(StateError::UploadClosed);
    }
    let limit = app.installation.limits.state;
    let stored = Box::pin(objects::put(app, &tenant, "json-state", body, limit)).await?;
    let mut tx = app.db.begin().await?;
    if store::set_json(&mut tx, &tenant, id, &stored.id).await? {
        objects::own(&mut tx, &tenant, &stored.id).await?;
        return Ok(tx.commit().await?);
    }
    drop(tx);
    let (version, _) = load(app, id).await?;
    let known = version.json_blob_id.ok_or(StateError::UploadClosed)?;
    let known = objects::open(app, &tenant, &known).await?;
    if known.sha256() == stored.sha256 {
        Ok(())
    } else {
        Err(StateError::UploadClosed)
    }
}

/// Ends announcements whose time has run out, in all accounts. No input but time: made for a
/// reconciler.
///
/// # Errors
/// The database's own.
pub async fn discard_expired(app: &App) -> Result<u64> {
    let mut tx = app.db.begin().await?;
    let ended = store::discard_older(&mut tx, app.clock.now() - UPLOAD_WINDOW).await?;
    tx.commit().await?;
    Ok(ended)
}
