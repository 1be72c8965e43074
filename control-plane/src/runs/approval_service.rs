//! Approvals of a run: who may give one, and when.
//!
//! Between the end of the plan, so that nobody approves what they can't have read, and the start of
//! the apply. An approval belongs to its run: another plan needs others.

use domain::cost::LimitAction;
use domain::ids::RunId;
use domain::permission::Permission;
use domain::run::PhaseStatus;
use serde_json::json;

use super::actor::ActorStamp;
use super::approval_store;
use super::error::RunError;
use super::machine::{Event, step};
use super::model::Run;
use super::service::{self, authorize_run};
use super::transition::{transition, wake_after};
use super::{queue, store};
use crate::app::App;
use crate::approvals::{self, Approval, ApprovalError, RunFacts, Standing};
use crate::audit;
use crate::context::{Context, Tenant};
use crate::costs;
use crate::workspaces;

type Result<T> = std::result::Result<T, RunError>;

/// Who made the run and who confirmed it: approvals must come from others.
async fn authors(conn: &mut db::Conn, tenant: &Tenant, run: &Run) -> Result<Vec<String>> {
    let mut authors = approval_store::confirmed_by(conn, tenant, &run.id).await?;
    authors.extend(service::creator(run).map(str::to_owned));
    Ok(authors)
}

/// A cost limit that the plan breaks may ask for one approval more, by anybody who may give one.
async fn extra_required(conn: &mut db::Conn, tenant: &Tenant, run: &Run) -> Result<u32> {
    let estimate = costs::of_run(conn, tenant, &run.id).await?;
    let asks = estimate.is_some_and(|estimate| {
        estimate
            .broken_limits
            .iter()
            .any(|limit| limit.action == LimitAction::RequireApproval)
    });
    Ok(asks.into())
}

fn facts<'a>(run: &'a Run, authors: &'a [String], extra_required: u32) -> RunFacts<'a> {
    RunFacts {
        run: &run.id,
        environment: &run.environment_id,
        project: &run.project_id,
        workspace: &run.workspace_id,
        is_destroy: run.request.is_destroy,
        authors,
        extra_required,
    }
}

/// How the approvals of a run stand. `confirming` is who is about to confirm it, if somebody is:
/// their approval stops counting.
///
/// # Errors
/// The database's own.
pub async fn standing(
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &Run,
    confirming: Option<&Context>,
) -> Result<Standing> {
    if run.state.plan_only {
        return Ok(Standing::default());
    }
    let mut authors = authors(conn, tenant, run).await?;
    authors.extend(
        confirming
            .and_then(|ctx| ctx.actor.user())
            .map(String::from),
    );
    let extra = extra_required(conn, tenant, run).await?;
    Ok(approvals::standing(conn, tenant, &facts(run, &authors, extra)).await?)
}

/// Tells the run machine when the approvals have become complete, or are so no longer. `tx` must hold
/// the workspace's row.
///
/// # Errors
/// As [`transition`].
pub(super) async fn settle(
    app: &App,
    tx: &mut db::Tx,
    ctx: &Context,
    run: &mut Run,
    confirming: Option<&Context>,
) -> Result<()> {
    let standing = standing(tx, &ctx.tenant(), run, confirming).await?;
    let event = match (run.state.gates.approvals, standing.outstanding) {
        (true, false) => Event::Approved,
        (false, true) => Event::ApprovalMissing,
        (true, true) | (false, false) => return Ok(()),
    };
    if step(&run.state, &event, ctx.now()).is_err() {
        return Ok(());
    }
    transition(app, tx, ctx, run, &event, Some(&standing.text)).await
}

/// # Errors
/// [`ApprovalError::NotOpen`], saying why.
fn check_open(run: &Run) -> std::result::Result<(), ApprovalError> {
    let when = if run.state.plan_only {
        "because it is never applied"
    } else if run.status().is_final() {
        "any more: it has ended"
    } else if run.state.plan != PhaseStatus::Finished {
        "yet: its plan is not ready"
    } else if run.state.apply != PhaseStatus::Pending {
        "any more: its apply has begun"
    } else {
        return Ok(());
    };
    Err(ApprovalError::NotOpen { when })
}

/// The approvals of a run, oldest first.
///
/// # Errors
/// [`RunError::NotFound`] or the refusal.
pub(super) async fn list(app: &App, ctx: &Context, id: &RunId) -> Result<Vec<Approval>> {
    let run = service::read(app, ctx, id).await?;
    let mut conn = app.db.acquire().await?;
    Ok(approvals::given(&mut conn, &ctx.tenant(), &run.id).await?)
}

/// Loads a run under its workspace's lock, so that approvals are counted one after another.
async fn load_locked(tx: &mut db::Tx, ctx: &Context, id: &RunId) -> Result<Run> {
    let tenant = ctx.tenant();
    let found = store::find(tx, &tenant, id)
        .await?
        .ok_or(RunError::NotFound)?;
    workspaces::lock_and_find(tx, &tenant, &found.workspace_id).await?;
    store::find(tx, &tenant, id)
        .await?
        .ok_or(RunError::NotFound)
}

async fn note(
    tx: &mut db::Tx,
    ctx: &Context,
    run: &Run,
    action: &str,
    comment: Option<&str>,
) -> Result<()> {
    let (tenant, stamp) = (ctx.tenant(), ActorStamp::of(ctx));
    let status = run.status();
    let from = Some(status);
    store::insert_event(
        tx,
        &tenant,
        &run.id,
        action,
        from,
        status,
        &stamp,
        comment,
        ctx.now(),
    )
    .await?;
    Ok(())
}

/// Ends a use case that has changed the approvals of a run: it may go on at once.
async fn settled(app: &App, mut tx: db::Tx, ctx: &Context, mut run: Run) -> Result<()> {
    settle(app, &mut tx, ctx, &mut run, None).await?;
    queue::start_ready(app, &mut tx, ctx, &run.workspace_id).await?;
    tx.commit().await?;
    wake_after(app, &run);
    Ok(())
}

/// Approves a run in the caller's name.
///
/// # Errors
/// The refusal, [`ApprovalError::OwnRun`], [`ApprovalError::NotOpen`],
/// [`ApprovalError::AlreadyGiven`].
pub(super) async fn approve(
    app: &App,
    ctx: &Context,
    id: &RunId,
    comment: String,
) -> Result<Approval> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let run = load_locked(&mut tx, ctx, id).await?;
    let seen = authorize_run(ctx, Permission::RunsRead, &run)?;
    let user = ctx.actor.user().ok_or(RunError::NotFound)?;
    let authors = authors(&mut tx, &tenant, &run).await?;
    let extra = extra_required(&mut tx, &tenant, &run).await?;
    let facts = facts(&run, &authors, extra);
    let proof = match authorize_run(ctx, Permission::RunsApprove, &run) {
        Ok(proof) => proof,
        Err(denied) => {
            if !approvals::counts_for_team(&mut tx, &tenant, &facts, &user).await? {
                return Err(denied);
            }
            seen
        }
    };
    check_open(&run)?;
    let named = (&user, ctx.actor.name.as_str());
    let approval = approvals::give(&mut tx, &tenant, &facts, named, comment, ctx.now()).await?;
    let comment = Some(approval.comment.as_str()).filter(|it| !it.is_empty());
    note(&mut tx, ctx, &run, "approve", comment).await?;
    let detail = json!({ "comment": approval.comment, "approval": approval.id });
    audit::record(&mut tx, ctx, &proof, "run.approve", detail).await?;
    settled(app, tx, ctx, run).await?;
    Ok(approval)
}

/// Takes the caller's own approval back.
///
/// # Errors
/// [`ApprovalError::NotFound`] without one, [`ApprovalError::NotOpen`].
pub(super) async fn withdraw(app: &App, ctx: &Context, id: &RunId) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let run = load_locked(&mut tx, ctx, id).await?;
    let proof = authorize_run(ctx, Permission::RunsRead, &run)?;
    let user = ctx.actor.user().ok_or(RunError::NotFound)?;
    approvals::withdraw(&mut tx, &tenant, &run.id, &user).await?;
    check_open(&run)?;
    note(&mut tx, ctx, &run, "withdraw-approval", None).await?;
    audit::record(&mut tx, ctx, &proof, "run.withdraw-approval", json!({})).await?;
    settled(app, tx, ctx, run).await
}
