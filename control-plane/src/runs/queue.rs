//! Whose turn it is: per workspace, state-changing runs go one after another in the order of their
//! numbers; dry runs and saved plans don't wait for them.
//!
//! Decided from rows under the workspace's row lock, so a restart or a second replica gives the same
//! order. Called in the transaction that made a run startable; a reconciler repairs what it missed.

use domain::ids::WorkspaceId;
use domain::run::RunStatus;

use super::approval_service;
use super::error::RunError;
use super::machine::Event;
use super::model::Run;
use super::transition::transition;
use super::{stale, store};
use crate::app::App;
use crate::clock::Clock;
use crate::context::{Actor, Context, Tenant};
use crate::workspaces;

/// The name in the history of what the queue does.
const ACTOR: &str = "queue";

/// Starts every run of a workspace whose turn it is. `tx` must hold the workspace's row.
///
/// # Errors
/// The database's own.
pub async fn start_ready(
    app: &App,
    tx: &mut db::Tx,
    ctx: &Context,
    workspace: &WorkspaceId,
) -> Result<(), RunError> {
    let tenant = ctx.tenant();
    let Some(found) = workspaces::find(tx, &tenant, workspace).await? else {
        return Ok(());
    };
    let mut free = found.lock.is_none();
    let system = Context::new(Actor::system(tenant.account(), ACTOR), app.clock.clone());
    for mut run in store::unfinished(tx, &tenant, workspace).await? {
        if run.status() == RunStatus::Confirmed
            && let Some(reason) = stale::reason(tx, &tenant, &run).await?
        {
            transition(app, tx, &system, &mut run, &Event::PlanStale, Some(&reason)).await?;
            continue;
        }
        if run.status() == RunStatus::Confirmed && run.state.gates.approvals {
            // What it waited for may no longer be asked for, or by another team.
            approval_service::settle(app, tx, &system, &mut run, None).await?;
        }
        match turn(&run, free) {
            Turn::Start { takes } => {
                transition(app, tx, &system, &mut run, &Event::Start, None).await?;
                free = free && !takes;
            }
            Turn::Wait { blocks } => free = free && !blocks,
        }
    }
    Ok(())
}

/// What the queue says to one run.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Start {
        takes: bool,
    },
    Wait {
        /// Those behind it wait as well.
        blocks: bool,
    },
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other status has started"
)]
fn turn(run: &Run, free: bool) -> Turn {
    let changes_state = match run.status() {
        RunStatus::Pending => !run.state.plan_only && !run.state.save_plan,
        RunStatus::Confirmed if run.state.save_plan && !run.state.gates.approvals => true,
        // Everything else that is unfinished has started; whether it holds the workspace shows
        // in the workspace's lock.
        _ => {
            return Turn::Wait {
                blocks: run.state.holds_workspace,
            };
        }
    };
    match (changes_state, free) {
        (false, _) => Turn::Start { takes: false },
        (true, true) => Turn::Start { takes: true },
        (true, false) => Turn::Wait { blocks: true },
    }
}

/// One pass over all workspaces with waiting runs.
///
/// # Errors
/// The database's own; what was started before stays started.
pub async fn pass(app: &App) -> Result<(), RunError> {
    let mut conn = app.db.acquire().await?;
    let waiting = store::workspaces_with_waiting_runs(&mut conn).await?;
    drop(conn);
    for (account, workspace) in waiting {
        let ctx = Context::new(Actor::system(&account, ACTOR), Clock::clone(&app.clock));
        let tenant = Tenant::of_row(&account);
        let mut tx = app.db.begin().await?;
        if workspaces::lock_and_find(&mut tx, &tenant, &workspace)
            .await?
            .is_some()
        {
            start_ready(app, &mut tx, &ctx, &workspace).await?;
            tx.commit().await?;
        }
    }
    app.signals.dispatch.wake();
    Ok(())
}
