//! Rows of costs, for reading. Every function takes the tenant first.

use db::Conn;
use domain::cost::{CostPartKind, StateCostStatus};
use domain::ids::{EnvironmentId, ProjectId, StateVersionId, WorkspaceId};

use super::model::{Part, StateCost};
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::costs::estimate::Counts;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT state_version_id, workspace_id, since, status, monthly, hourly,
        usage_monthly, counts, omitted_tags, error, price_book, priced_at
    FROM state_costs WHERE account_id = ";

/// The newest cost that a workspace's states have.
pub(super) async fn newest(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
) -> Result<Option<StateCost>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND workspace_id = ")
        .bind(workspace)
        .push(" AND status <> 'pending' ORDER BY number DESC LIMIT 1")
        .finish()
        .fetch_optional()
        .await
}

/// Which of a workspace's states are wanted: current since a time, and before another.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// The costs of a workspace's states, the newest first.
pub(super) async fn page(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
    span: Span,
    page: Page,
) -> Result<Paged<StateCost>> {
    let count = "SELECT COUNT(*) FROM state_costs WHERE account_id = ";
    let total = within(conn, count, tenant, workspace, span)
        .finish()
        .fetch_scalar()
        .await?;
    let items = within(conn, SELECT, tenant, workspace, span)
        .push(" ORDER BY number DESC LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    Ok(Paged { items, total })
}

fn within<'c>(
    conn: &'c mut Conn,
    select: &'static str,
    tenant: &Tenant,
    workspace: &WorkspaceId,
    span: Span,
) -> db::Builder<'c> {
    conn.build(select)
        .bind(tenant.account())
        .push(" AND workspace_id = ")
        .bind(workspace)
        .push_if(" AND since >= ", span.since)
        .push_if(" AND since < ", span.until)
}

/// Which parts are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct PartFilter<'a> {
    pub kind: Option<CostPartKind>,
    pub key: Option<&'a str>,
}

/// The subtotals of states.
pub(super) async fn parts(
    conn: &mut Conn,
    tenant: &Tenant,
    states: &[StateVersionId],
    filter: &PartFilter<'_>,
) -> Result<Vec<Part>> {
    if states.is_empty() {
        return Ok(Vec::new());
    }
    conn.build(
        "SELECT state_version_id, kind, key, name, remainder, monthly, hourly, usage_monthly,
            resources, unmatched
         FROM state_cost_parts WHERE account_id = ",
    )
    .bind(tenant.account())
    .push_in(" AND state_version_id IN (", states)
    .push_if(" AND kind = ", filter.kind)
    .push_if(" AND key = ", filter.key)
    .push(" ORDER BY state_version_id, kind, key, remainder, name")
    .finish()
    .fetch_all()
    .await
}

/// A workspace with the newest cost that its states have.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct WorkspaceRow {
    pub id: WorkspaceId,
    pub name: String,
    pub environment_id: EnvironmentId,
    pub project_id: ProjectId,
    pub environment_name: String,
    pub current_state_version_id: Option<StateVersionId>,
    pub state_version_id: Option<StateVersionId>,
    pub status: Option<StateCostStatus>,
    pub monthly: Option<String>,
    pub hourly: Option<String>,
    pub usage_monthly: Option<String>,
    #[sqlx(json(nullable))]
    pub counts: Option<Counts>,
    pub omitted_tags: Option<i64>,
}

/// The next workspaces after one, by id.
pub(super) async fn workspaces(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: Option<&EnvironmentId>,
    after: Option<&WorkspaceId>,
    limit: i64,
) -> Result<Vec<WorkspaceRow>> {
    conn.build(
        "SELECT w.id, w.name, w.environment_id, w.project_id, e.name AS environment_name,
            w.current_state_version_id, c.state_version_id, c.status, c.monthly, c.hourly,
            c.usage_monthly, c.counts, c.omitted_tags
         FROM workspaces w JOIN environments e ON e.id = w.environment_id
         LEFT JOIN state_costs c ON c.account_id = w.account_id AND c.workspace_id = w.id
            AND c.number = (SELECT MAX(n.number) FROM state_costs n
                WHERE n.account_id = w.account_id AND n.workspace_id = w.id
                    AND n.status <> 'pending')
         WHERE w.account_id = ",
    )
    .bind(tenant.account())
    .push_if(" AND w.environment_id = ", environment)
    .push_if(" AND w.id > ", after)
    .push(" ORDER BY w.id LIMIT ")
    .bind(limit)
    .finish()
    .fetch_all()
    .await
}

/// What a workspace's last state of a day costs.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct DayRow {
    pub workspace_id: WorkspaceId,
    pub day: i64,
    pub status: StateCostStatus,
    pub monthly: Option<String>,
    pub hourly: Option<String>,
    pub usage_monthly: Option<String>,
    #[sqlx(json)]
    pub counts: Counts,
}

/// The last states of each day from `first` to `last`, and the last one before; in their order.
pub(super) async fn days(
    conn: &mut Conn,
    tenant: &Tenant,
    workspaces: &[WorkspaceId],
    first: i64,
    last: i64,
) -> Result<Vec<DayRow>> {
    if workspaces.is_empty() {
        return Ok(Vec::new());
    }
    conn.build(
        "SELECT c.workspace_id, c.day, c.status, c.monthly, c.hourly, c.usage_monthly, c.counts
         FROM state_costs c JOIN (
            SELECT workspace_id, MAX(number) AS number FROM state_costs WHERE account_id = ",
    )
    .bind(tenant.account())
    .push_in(" AND workspace_id IN (", workspaces)
    .push(" AND day <= ")
    .bind(last)
    .push(" GROUP BY workspace_id, CASE WHEN day < ")
    .bind(first)
    .push(
        " THEN -1 ELSE day END) l ON l.workspace_id = c.workspace_id AND l.number = c.number
         WHERE c.account_id = ",
    )
    .bind(tenant.account())
    .push(" ORDER BY c.workspace_id, c.number")
    .finish()
    .fetch_all()
    .await
}

/// The values of a tag of workspaces.
pub(super) async fn workspace_tags(
    conn: &mut Conn,
    tenant: &Tenant,
    workspaces: &[WorkspaceId],
    key: &str,
) -> Result<Vec<(WorkspaceId, String)>> {
    if workspaces.is_empty() {
        return Ok(Vec::new());
    }
    conn.build("SELECT workspace_id, value FROM tag_bindings WHERE account_id = ")
        .bind(tenant.account())
        .push_in(" AND workspace_id IN (", workspaces)
        .push(" AND key = ")
        .bind(key)
        .finish()
        .fetch_all()
        .await
}
