//! Use cases of one workspace's costs.

use domain::ids::{StateVersionId, WorkspaceId};
use domain::permission::Permission;

use super::figures::Known;
use super::model::{Part, StateCost};
use super::read_store::{self, PartFilter, Span};
use crate::app::App;
use crate::context::Context;
use crate::costs::CostError;
use crate::http::page::{Page, Paged};
use crate::workspaces::{self, WorkspaceKey};

type Result<T> = std::result::Result<T, CostError>;

/// What a workspace costs now.
#[derive(Debug)]
pub(super) struct WorkspaceCost {
    pub workspace: WorkspaceId,
    pub current: Option<StateVersionId>,
    pub known: Known,
    /// Of the current state, or of the last one that was priced while that waits.
    pub cost: Option<StateCost>,
    pub parts: Vec<Part>,
}

/// # Errors
/// [`CostError::NotFound`] or the refusal.
pub(super) async fn current(app: &App, ctx: &Context, id: &WorkspaceId) -> Result<WorkspaceCost> {
    let tenant = ctx.tenant();
    let mut tx = app.db.snapshot().await?;
    let key = WorkspaceKey::Id(id.clone());
    let (workspace, _) = workspaces::load(&mut tx, ctx, &key, Permission::WorkspacesRead).await?;
    let cost = read_store::newest(&mut tx, &tenant, &workspace.id).await?;
    let current = workspace.current_state_version_id;
    let known = match (&current, &cost) {
        (None, _) => Known::Nothing,
        (Some(_), None) => Known::Pending,
        (Some(id), Some(cost)) => Known::of(cost.status, cost.state_version_id == *id),
    };
    let states: Vec<StateVersionId> = cost
        .iter()
        .map(|cost| cost.state_version_id.clone())
        .collect();
    let parts = read_store::parts(&mut tx, &tenant, &states, &PartFilter::default()).await?;
    Ok(WorkspaceCost {
        workspace: workspace.id,
        current,
        known,
        cost,
        parts,
    })
}

/// What the states of a workspace cost, the newest first.
///
/// # Errors
/// [`CostError::NotFound`] or the refusal.
pub(super) async fn history(
    app: &App,
    ctx: &Context,
    id: &WorkspaceId,
    span: Span,
    page: Page,
) -> Result<Paged<StateCost>> {
    let mut conn = app.db.acquire().await?;
    let key = WorkspaceKey::Id(id.clone());
    let (workspace, _) = workspaces::load(&mut conn, ctx, &key, Permission::WorkspacesRead).await?;
    Ok(read_store::page(&mut conn, &ctx.tenant(), &workspace.id, span, page).await?)
}
