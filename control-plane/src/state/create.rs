//! A state from outside a run's runner: `state push`, local execution, a migration. Either all of it
//! at once, or announced first and uploaded to a signed URL (`upload`).

use domain::Secret;
use domain::ids::{RunId, WorkspaceId};
use domain::permission::Permission;
use domain::workspace::StateStatus;
use serde_json::json;

use super::error::StateError;
use super::model::{Announced, StateVersion};
use super::prepare::{Prepared, current_of, make_current, prepare};
use super::rules::{Identity, Verdict, check_held, judge};
use super::store;
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::iam::Authorized;
use crate::objects::{self, Stored};
use crate::tenancy::SealedPlace;
use crate::workspaces::{self, Workspace, WorkspaceKey};

type Result<T> = std::result::Result<T, StateError>;

/// What a create asks for. Bytes that came with it have been stored, and belong to nobody yet.
#[derive(Debug, Default)]
pub struct NewState {
    pub serial: Option<i64>,
    /// Hexadecimal.
    pub md5: Option<String>,
    pub lineage: Option<String>,
    pub force: bool,
    /// The run that the client says it works for.
    pub run: Option<RunId>,
    /// JSON object of the outputs, for states that only the client can read.
    pub outputs: Option<Secret<Vec<u8>>>,
    /// Absent: it follows at the signed URL.
    pub state: Option<Stored>,
    pub json_state: Option<Stored>,
}

/// What came of a create.
#[derive(Debug)]
pub struct Creation {
    pub version: StateVersion,
    /// Whether the client is expected to upload the bytes.
    pub awaits_upload: bool,
}

/// Whether the caller may write the state of `workspace` at all, before its bytes are taken in.
///
/// # Errors
/// The refusal, or that the caller doesn't hold the workspace.
pub async fn check_may_create(app: &App, ctx: &Context, workspace: &WorkspaceId) -> Result<()> {
    let mut conn = app.db.acquire().await?;
    let key = WorkspaceKey::Id(workspace.clone());
    let permission = Permission::StateVersionsCreateOutsideRuns;
    let (workspace, _) = workspaces::load(&mut conn, ctx, &key, permission).await?;
    check_held(&workspace, ctx.actor.kind, &ctx.actor.id)
}

/// Makes a state version: the current state when its bytes came along, else an announcement.
///
/// # Errors
/// [`StateError::Refused`] when it may not follow the current state; see the other variants for what
/// is wrong with it.
pub async fn create(
    app: &App,
    ctx: &Context,
    workspace: &WorkspaceId,
    new: NewState,
) -> Result<Creation> {
    match new.state.clone() {
        Some(stored) => create_whole(app, ctx, workspace, new, stored).await,
        None => announce(app, ctx, workspace, new).await,
    }
}

fn invalid(pointer: &'static str, detail: impl Into<String>) -> StateError {
    StateError::Invalid {
        pointer,
        detail: detail.into(),
    }
}

fn checked_serial(serial: Option<i64>) -> Result<i64> {
    serial
        .filter(|serial| *serial >= 0)
        .ok_or_else(|| invalid("/data/attributes/serial", "the state's serial is needed"))
}

fn checked_md5(md5: Option<&str>) -> Result<String> {
    let md5 = md5.unwrap_or_default().to_ascii_lowercase();
    if md5.len() == 32 && md5.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(md5);
    }
    Err(invalid(
        "/data/attributes/md5",
        "send the state itself in `state`, or the MD5 of it (32 hexadecimal digits)",
    ))
}

/// A create on its way: the workspace is locked, and the caller may write its state.
struct Admitted {
    workspace: Workspace,
    proof: Authorized,
    current: Option<StateVersion>,
}

async fn admit(tx: &mut db::Tx, ctx: &Context, id: &WorkspaceId) -> Result<Admitted> {
    let permission = Permission::StateVersionsCreateOutsideRuns;
    let (workspace, proof) = workspaces::load_locked(tx, ctx, id, permission).await?;
    check_held(&workspace, ctx.actor.kind, &ctx.actor.id)?;
    let current = current_of(tx, &ctx.tenant(), &workspace).await?;
    Ok(Admitted {
        workspace,
        proof,
        current,
    })
}

impl Admitted {
    /// The current state if the new one is the same.
    fn judge(&self, new: Identity<'_>, force: bool) -> Result<Option<StateVersion>> {
        match judge(
            self.current.as_ref().map(StateVersion::identity),
            new,
            force,
        ) {
            Verdict::Accept => Ok(None),
            Verdict::Duplicate => Ok(self.current.clone()),
            Verdict::Refuse(refusal) => Err(refusal.into()),
        }
    }
}

/// The run of a version: a run's own token says it, anybody else may name one of the workspace.
async fn run_of(
    conn: &mut db::Conn,
    ctx: &Context,
    workspace: &Workspace,
    named: Option<&RunId>,
) -> Result<Option<RunId>> {
    if let Some(scope) = &ctx.actor.run {
        return Ok(Some(scope.run.clone()));
    }
    let Some(run) = named else { return Ok(None) };
    let known = store::run_is_uncertain(conn, &ctx.tenant(), &workspace.id, run).await?;
    match known {
        Some(_) => Ok(Some(run.clone())),
        None => Err(invalid(
            "/data/relationships/run",
            "no such run in this workspace",
        )),
    }
}

async fn announce(
    app: &App,
    ctx: &Context,
    workspace: &WorkspaceId,
    new: NewState,
) -> Result<Creation> {
    let announced = Announced {
        serial: checked_serial(new.serial)?,
        lineage: new.lineage.unwrap_or_default(),
        md5: checked_md5(new.md5.as_deref())?,
        size: 0,
    };
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let admitted = admit(&mut tx, ctx, workspace).await?;
    let identity = Identity {
        serial: announced.serial,
        lineage: &announced.lineage,
        md5: &announced.md5,
    };
    if let Some(current) = admitted.judge(identity, new.force)? {
        // The client goes on as if it were new; its upload will be found to be the same.
        return Ok(Creation {
            version: current,
            awaits_upload: true,
        });
    }
    let mut version = StateVersion::announced(ctx, &admitted.workspace, 0, &announced);
    version.forced = new.force;
    if let Some(twin) = store::pending_twin(&mut tx, &tenant, &version).await? {
        // The answer to an earlier request got lost.
        return Ok(Creation {
            version: twin,
            awaits_upload: true,
        });
    }
    version.run_id = run_of(&mut tx, ctx, &admitted.workspace, new.run.as_ref()).await?;
    version.number = workspaces::next_state_number(&mut tx, &tenant, workspace).await?;
    store::discard_pending(&mut tx, &tenant, workspace).await?;
    let sealed = match &new.outputs {
        Some(outputs) => {
            let place = SealedPlace::new(ANNOUNCED_OUTPUTS, &version.id);
            Some(
                app.keys
                    .seal(&mut tx, &tenant, &place, outputs.expose())
                    .await?,
            )
        }
        None => None,
    };
    if let Some(json) = &new.json_state {
        objects::own(&mut tx, &tenant, &json.id).await?;
        version.json_blob_id = Some(json.id.clone());
    }
    store::insert(&mut tx, &tenant, &version, sealed.as_deref()).await?;
    let detail = json!({ "state_version": version.id, "serial": version.serial,
        "lineage": version.lineage, "md5": version.md5, "force": version.forced });
    audit::record(
        &mut tx,
        ctx,
        &admitted.proof,
        "state-version.announce",
        detail,
    )
    .await?;
    tx.commit().await?;
    Ok(Creation {
        version,
        awaits_upload: true,
    })
}

/// What the outputs that a client announced are sealed as.
pub(super) const ANNOUNCED_OUTPUTS: &str = "announced-outputs";

async fn create_whole(
    app: &App,
    ctx: &Context,
    workspace: &WorkspaceId,
    new: NewState,
    stored: Stored,
) -> Result<Creation> {
    let tenant = ctx.tenant();
    if let Some(md5) = &new.md5
        && !md5.eq_ignore_ascii_case(&stored.md5)
    {
        return Err(StateError::WrongMd5 {
            announced: md5.clone(),
            got: stored.md5,
        });
    }
    let outputs = new
        .outputs
        .as_ref()
        .map(|outputs| outputs.expose().as_slice());
    let prepared = prepare(app, &tenant, stored, outputs).await?;
    let told = prepared.head.as_ref().map(|(serial, _)| *serial);
    let announced = Announced {
        serial: checked_serial(new.serial.or(told))?,
        lineage: new.lineage.clone().unwrap_or_default(),
        md5: prepared.stored.md5.clone(),
        size: prepared.stored.size,
    };
    prepared.check_announced(&announced)?;
    Box::pin(record_whole(
        app, ctx, &tenant, workspace, new, &announced, &prepared,
    ))
    .await
}

async fn record_whole(
    app: &App,
    ctx: &Context,
    tenant: &Tenant,
    workspace: &WorkspaceId,
    new: NewState,
    announced: &Announced,
    prepared: &Prepared,
) -> Result<Creation> {
    let mut tx = app.db.begin().await?;
    let admitted = admit(&mut tx, ctx, workspace).await?;
    if let Some(current) = admitted.judge(prepared.identity(announced), new.force)? {
        return Ok(Creation {
            version: current,
            awaits_upload: false,
        });
    }
    store::discard_pending(&mut tx, tenant, workspace).await?;
    let number = workspaces::next_state_number(&mut tx, tenant, workspace).await?;
    let mut version = StateVersion::announced(ctx, &admitted.workspace, number, announced);
    version.run_id = run_of(&mut tx, ctx, &admitted.workspace, new.run.as_ref()).await?;
    version.forced = new.force;
    version.status = StateStatus::Finalized;
    prepared.describe(&mut version);
    if let Some(json) = &new.json_state {
        objects::own(&mut tx, tenant, &json.id).await?;
        version.json_blob_id = Some(json.id.clone());
    }
    store::insert(&mut tx, tenant, &version, None).await?;
    make_current(&mut tx, tenant, &version, prepared).await?;
    let detail = json!({ "state_version": version.id, "serial": version.serial,
        "lineage": version.lineage, "md5": version.md5, "force": version.forced });
    audit::record(
        &mut tx,
        ctx,
        &admitted.proof,
        "state-version.create",
        detail,
    )
    .await?;
    tx.commit().await?;
    Ok(Creation {
        version,
        awaits_upload: false,
    })
}
