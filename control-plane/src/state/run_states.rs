//! States that a run's runner brings: at each change while Terraform works, at its end, or after a
//! crash under a recovery grant.
//!
//! The runner's copy may be the only one, so nothing that arrives whole is dropped: what may not
//! become the current state goes into quarantine, where people find it. The lease is checked in the
//! same transaction as the write, so a runner that lost it can't overwrite what came after.

use domain::access::ActorKind;
use domain::ids::{JobId, RunId, StateVersionId, WorkspaceId};
use domain::job::JobStatus;
use domain::permission::Permission;
use domain::workspace::{LockKind, StateStatus};
use serde_json::json;

use super::copy::renumbered;
use super::error::StateError;
use super::model::{Announced, StateVersion};
use super::prepare::{Prepared, current_of, make_current, prepare};
use super::rules::{Identity, Refusal, Verdict, judge};
use super::store::{self, Lease};
use crate::app::App;
use crate::audit;
use crate::clock::Timestamp;
use crate::context::{Actor, Context, RunScope, Tenant};
use crate::objects::{self, Stored};
use crate::workspaces::{self, Workspace, authorize_on};

type Result<T> = std::result::Result<T, StateError>;

/// Under which right a runner writes a state.
#[derive(Debug, Clone)]
pub struct RunStateGrant {
    pub tenant: Tenant,
    pub workspace: WorkspaceId,
    pub run: RunId,
    pub job: JobId,
    pub epoch: i64,
    /// The state as it was when Terraform ended; else an intermediate snapshot.
    pub final_state: bool,
    /// The runner says that its lease is gone.
    pub recovery: bool,
    /// Newer than its serial tells, as `errored.tfstate` is: given the next serial where it would be
    /// refused for its own.
    pub renumber: bool,
}

/// What became of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    Stored(StateVersionId),
    /// It had come before.
    Duplicate(StateVersionId),
    /// Kept for people to look at, with the reason.
    Quarantined(StateVersionId, String),
}

/// How often a state is renumbered because another one came in between.
const TRIES: usize = 4;

/// Takes a state that a runner has brought, and that has been stored as `blob`. When this returns,
/// the runner may forget it.
///
/// # Errors
/// [`StateError::WrongMd5`] when it is not what was announced (the runner sends it again),
/// [`StateError::NotFound`] when the workspace is gone, and faults of ours.
pub async fn accept_from_run(
    app: &App,
    grant: &RunStateGrant,
    announced: &Announced,
    blob: Stored,
) -> Result<Disposition> {
    if !announced.md5.is_empty() && !announced.md5.eq_ignore_ascii_case(&blob.md5) {
        return Err(StateError::WrongMd5 {
            announced: announced.md5.clone(),
            got: blob.md5,
        });
    }
    let mut candidate = match prepare(app, &grant.tenant, blob.clone(), None).await {
        Ok(prepared) => Candidate::new(prepared, announced, grant),
        Err(StateError::Unreadable { reason }) => Candidate::unreadable(blob, announced, reason),
        Err(error) => return Err(error),
    };
    for _ in 0..TRIES {
        match Box::pin(decide(app, grant, &candidate)).await? {
            Decision::Done(disposition) => return Ok(disposition),
            Decision::Renumber(serial) => {
                let copy = renumbered(app, &grant.tenant, &candidate.stored.id, serial).await?;
                let prepared = prepare(app, &grant.tenant, copy, None).await?;
                candidate = Candidate::new(prepared, announced, grant);
            }
        }
    }
    Err(StateError::Changed)
}

/// A state in hand.
struct Candidate {
    stored: Stored,
    serial: i64,
    lineage: String,
    /// Its index, or why there is none or it can't be believed.
    content: std::result::Result<Prepared, (Option<Prepared>, String)>,
}

impl Candidate {
    fn new(prepared: Prepared, announced: &Announced, grant: &RunStateGrant) -> Self {
        let identity = prepared.identity(announced);
        let (serial, lineage) = (identity.serial, identity.lineage.to_owned());
        let stored = prepared.stored.clone();
        let content = match prepared.check_announced(announced) {
            Err(error) if !grant.renumber => Err((Some(prepared), error.to_string())),
            Ok(()) | Err(_) => Ok(prepared),
        };
        Self {
            stored,
            serial,
            lineage,
            content,
        }
    }

    fn unreadable(stored: Stored, announced: &Announced, reason: String) -> Self {
        let (serial, lineage) = (announced.serial, announced.lineage.clone());
        Self {
            stored,
            serial,
            lineage,
            content: Err((None, format!("it can't be read: {reason}"))),
        }
    }

    fn identity(&self) -> Identity<'_> {
        Identity {
            serial: self.serial,
            lineage: &self.lineage,
            md5: &self.stored.md5,
        }
    }
}

enum Decision {
    Done(Disposition),
    Renumber(i64),
}

/// The run itself, in the audit log.
fn context(app: &App, grant: &RunStateGrant) -> Context {
    let mut actor = Actor::system(grant.tenant.account(), grant.run.as_str());
    actor.kind = ActorKind::Run;
    actor.id = grant.run.to_string();
    actor.run = Some(RunScope {
        run: grant.run.clone(),
        job: grant.job.clone(),
        workspace: grant.workspace.clone(),
        epoch: grant.epoch,
    });
    Context::new(actor, app.clock.clone())
}

async fn decide(app: &App, grant: &RunStateGrant, candidate: &Candidate) -> Result<Decision> {
    let tenant = &grant.tenant;
    let ctx = context(app, grant);
    let mut tx = app.db.begin().await?;
    let workspace = workspaces::lock_and_find(&mut tx, tenant, &grant.workspace)
        .await?
        .ok_or(StateError::NotFound)?;
    let lease = store::lock_lease(&mut tx, tenant, &grant.job).await?;
    let twin = |status| {
        (
            tenant.clone(),
            grant.run.clone(),
            status,
            candidate.serial,
            candidate.stored.md5.clone(),
        )
    };
    let (t, run, status, serial, md5) = twin(StateStatus::Finalized);
    if let Some(known) = store::same_of_run(&mut tx, &t, &run, status, serial, &md5).await? {
        return Ok(Decision::Done(Disposition::Duplicate(known.id)));
    }
    let current = current_of(&mut tx, tenant, &workspace).await?;
    let reason = match obstacle(grant, candidate, &workspace, lease.as_ref(), ctx.now()) {
        Some(reason) => reason,
        None => {
            let verdict = judge(
                current.as_ref().map(StateVersion::identity),
                candidate.identity(),
                false,
            );
            match (verdict, &candidate.content) {
                (Verdict::Duplicate, _) => {
                    let id = current.map(|it| it.id).ok_or(StateError::Changed)?;
                    return Ok(Decision::Done(Disposition::Duplicate(id)));
                }
                (Verdict::Accept, Ok(prepared)) => {
                    let version =
                        accept(&mut tx, &ctx, grant, &workspace, candidate, prepared).await?;
                    tx.commit().await?;
                    return Ok(Decision::Done(Disposition::Stored(version)));
                }
                (Verdict::Refuse(refusal), Ok(prepared))
                    if grant.renumber && prepared.head.is_some() =>
                {
                    match other_serial(&refusal) {
                        Some(serial) => return Ok(Decision::Renumber(serial)),
                        None => refusal.to_string(),
                    }
                }
                (Verdict::Refuse(refusal), _) => refusal.to_string(),
                (Verdict::Accept, Err((_, reason))) => reason.clone(),
            }
        }
    };
    let (t, run, status, serial, md5) = twin(StateStatus::Quarantined);
    if let Some(known) = store::same_of_run(&mut tx, &t, &run, status, serial, &md5).await? {
        return Ok(Decision::Done(Disposition::Quarantined(known.id, reason)));
    }
    let id = quarantine(&mut tx, &ctx, grant, &workspace, candidate, &reason).await?;
    tx.commit().await?;
    Ok(Decision::Done(Disposition::Quarantined(id, reason)))
}

/// The serial to try, if only the serial stands in the way: first that of the current state, which
/// may be this very state, renumbered when it came for the first time; then the one after it.
fn other_serial(refusal: &Refusal) -> Option<i64> {
    match refusal {
        Refusal::OlderSerial { current, .. } => Some(*current),
        Refusal::SerialTaken { serial } => Some(serial.saturating_add(1)),
        Refusal::OtherLineage { .. } => None,
    }
}

/// Why this runner may not write the workspace's state now.
fn obstacle(
    grant: &RunStateGrant,
    candidate: &Candidate,
    workspace: &Workspace,
    lease: Option<&Lease>,
    now: Timestamp,
) -> Option<String> {
    if let Err((_, reason)) = &candidate.content {
        return Some(reason.clone());
    }
    // Asked here and not where the call came in: it may have been revoked since.
    if lease.is_some_and(|lease| lease.runner_revoked) {
        return Some(
            "its runner had been revoked when it came; look at it, then promote it or leave it"
                .to_owned(),
        );
    }
    let held = workspace
        .lock
        .as_ref()
        .is_some_and(|lock| lock.kind == LockKind::Run && lock.holder_id == grant.run.as_str());
    if !held {
        return Some("its run does not hold the workspace any more".to_owned());
    }
    let Some(lease) = lease else {
        return Some("its job does not exist".to_owned());
    };
    if lease.run_id != grant.run || lease.workspace_id != grant.workspace {
        return Some("its job belongs to another run".to_owned());
    }
    if lease.epoch != grant.epoch {
        let (now, then) = (lease.epoch, grant.epoch);
        return Some(format!(
            "its job has been leased anew: epoch {now}, not {then}"
        ));
    }
    match lease.status {
        JobStatus::Leased | JobStatus::OutOfContact => None,
        JobStatus::Queued | JobStatus::Offered | JobStatus::Finished | JobStatus::Abandoned => {
            let granted = lease.recovery_until.is_some_and(|until| now <= until);
            (!granted).then(|| "its job has ended, and there is no recovery to wait for".to_owned())
        }
    }
}

async fn version_of(
    tx: &mut db::Tx,
    ctx: &Context,
    grant: &RunStateGrant,
    workspace: &Workspace,
    candidate: &Candidate,
) -> Result<StateVersion> {
    let number = workspaces::next_state_number(tx, &grant.tenant, &workspace.id).await?;
    let announced = Announced {
        serial: candidate.serial,
        lineage: candidate.lineage.clone(),
        md5: candidate.stored.md5.clone(),
        size: candidate.stored.size,
    };
    let mut version = StateVersion::announced(ctx, workspace, number, &announced);
    version.intermediate = !grant.final_state;
    version.blob_id = Some(candidate.stored.id.clone());
    version.sha256 = Some(candidate.stored.sha256.clone());
    version.size = i64::try_from(candidate.stored.size).ok();
    Ok(version)
}

async fn accept(
    tx: &mut db::Tx,
    ctx: &Context,
    grant: &RunStateGrant,
    workspace: &Workspace,
    candidate: &Candidate,
    prepared: &Prepared,
) -> Result<StateVersionId> {
    let mut version = version_of(tx, ctx, grant, workspace, candidate).await?;
    version.status = StateStatus::Finalized;
    prepared.describe(&mut version);
    store::insert(tx, &grant.tenant, &version, None).await?;
    make_current(tx, &grant.tenant, &version, prepared).await?;
    record(tx, ctx, grant, workspace, &version, "state-version.create").await?;
    Ok(version.id)
}

async fn quarantine(
    tx: &mut db::Tx,
    ctx: &Context,
    grant: &RunStateGrant,
    workspace: &Workspace,
    candidate: &Candidate,
    reason: &str,
) -> Result<StateVersionId> {
    let mut version = version_of(tx, ctx, grant, workspace, candidate).await?;
    version.status = StateStatus::Quarantined;
    version.quarantine_reason = Some(reason.to_owned());
    if let Ok(prepared) | Err((Some(prepared), _)) = &candidate.content {
        prepared.describe(&mut version);
    }
    store::insert(tx, &grant.tenant, &version, None).await?;
    objects::own(tx, &grant.tenant, &candidate.stored.id).await?;
    record(
        tx,
        ctx,
        grant,
        workspace,
        &version,
        "state-version.quarantine",
    )
    .await?;
    Ok(version.id)
}

async fn record(
    tx: &mut db::Tx,
    ctx: &Context,
    grant: &RunStateGrant,
    workspace: &Workspace,
    version: &StateVersion,
    action: &str,
) -> Result<()> {
    let proof = authorize_on(ctx, Permission::StateVersionsCreateOutsideRuns, workspace)?;
    let detail = json!({ "state_version": version.id, "serial": version.serial,
        "lineage": version.lineage, "md5": version.md5, "job": grant.job, "epoch": grant.epoch,
        "intermediate": version.intermediate, "recovery": grant.recovery,
        "reason": version.quarantine_reason });
    Ok(audit::record(tx, ctx, &proof, action, detail).await?)
}
