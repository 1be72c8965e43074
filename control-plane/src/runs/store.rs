//! Rows of runs and their histories. Every function takes the tenant first.

use std::collections::BTreeMap;

use db::{Conn, Json};
use domain::access::ActorKind;
use domain::ids::{
    AccountId, ApplyId, BlobId, ConfigurationVersionId, EnvironmentId, PlanId, ProjectId,
    RunEventId, RunId, WorkspaceId,
};
use domain::run::{PhaseStatus, RunSource, RunStatus};

use super::actor::ActorStamp;
use super::machine::{Gates, RunState};
use super::model::{ApplyResult, PlanResult, Run, RunEvent, RunFilter, RunRequest};
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};
use crate::iam::Visible;

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT r.id, r.account_id, r.environment_id, r.workspace_id,
        (SELECT w.project_id FROM workspaces w WHERE w.id = r.workspace_id) AS project_id,
        r.configuration_version_id, r.plan_id, r.apply_id, r.number, r.version, r.status,
        r.plan_status, r.apply_status, r.pre_plan_gate, r.cost_gate, r.policy_gate,
        r.approvals_outstanding, r.holds_workspace, r.request, r.plan_only, r.source,
        r.plan_result, r.apply_result, r.error, r.state_uncertain, r.cancel_requested_at,
        r.timestamps, r.plan_archive_blob_id, r.plan_json_blob_id, r.plan_redacted_blob_id,
        r.created_by_kind, r.created_by_id, r.created_by_name, r.created_at,
        EXISTS (SELECT 1 FROM jobs j WHERE j.account_id = r.account_id AND j.run_id = r.id
            AND j.status = 'out-of-contact') AS out_of_contact
    FROM runs r ";

#[derive(sqlx::FromRow)]
struct Row {
    id: RunId,
    account_id: AccountId,
    environment_id: EnvironmentId,
    project_id: ProjectId,
    workspace_id: WorkspaceId,
    configuration_version_id: ConfigurationVersionId,
    plan_id: PlanId,
    apply_id: ApplyId,
    number: i64,
    version: i64,
    status: RunStatus,
    plan_status: PhaseStatus,
    apply_status: PhaseStatus,
    pre_plan_gate: bool,
    cost_gate: bool,
    policy_gate: bool,
    approvals_outstanding: bool,
    holds_workspace: bool,
    #[sqlx(json)]
    request: RunRequest,
    plan_only: bool,
    source: RunSource,
    #[sqlx(json(nullable))]
    plan_result: Option<PlanResult>,
    #[sqlx(json(nullable))]
    apply_result: Option<ApplyResult>,
    error: Option<String>,
    state_uncertain: bool,
    cancel_requested_at: Option<Timestamp>,
    #[sqlx(json)]
    timestamps: BTreeMap<String, Timestamp>,
    plan_archive_blob_id: Option<BlobId>,
    plan_json_blob_id: Option<BlobId>,
    plan_redacted_blob_id: Option<BlobId>,
    created_by_kind: ActorKind,
    created_by_id: String,
    created_by_name: String,
    created_at: Timestamp,
    out_of_contact: bool,
}

impl From<Row> for Run {
    fn from(row: Row) -> Self {
        let state = RunState {
            status: row.status,
            plan: row.plan_status,
            apply: row.apply_status,
            plan_only: row.plan_only,
            save_plan: row.request.save_plan,
            auto_apply: row.request.auto_apply,
            allow_empty_apply: row.request.allow_empty_apply,
            needs_fetch: row.request.needs_fetch,
            gates: Gates {
                pre_plan: row.pre_plan_gate,
                cost: row.cost_gate,
                policy: row.policy_gate,
                approvals: row.approvals_outstanding,
            },
            has_changes: row
                .plan_result
                .as_ref()
                .is_some_and(|plan| plan.has_changes),
            holds_workspace: row.holds_workspace,
            state_uncertain: row.state_uncertain,
            cancel_requested_at: row.cancel_requested_at,
            out_of_contact: row.out_of_contact,
        };
        Self {
            id: row.id,
            account_id: row.account_id,
            environment_id: row.environment_id,
            project_id: row.project_id,
            workspace_id: row.workspace_id,
            configuration_version_id: row.configuration_version_id,
            plan_id: row.plan_id,
            apply_id: row.apply_id,
            number: row.number,
            version: row.version,
            state,
            request: row.request,
            source: row.source,
            plan_result: row.plan_result,
            apply_result: row.apply_result,
            error: row.error,
            timestamps: row.timestamps,
            plan_archive: row.plan_archive_blob_id,
            plan_json: row.plan_json_blob_id,
            plan_redacted: row.plan_redacted_blob_id,
            created_by_kind: row.created_by_kind,
            created_by_id: row.created_by_id,
            created_by_name: row.created_by_name,
            created_at: row.created_at,
        }
    }
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &Run,
    sealed_variables: Option<Vec<u8>>,
) -> Result<()> {
    conn.query(
        "INSERT INTO runs (id, account_id, environment_id, workspace_id,
            configuration_version_id, plan_id, apply_id, number, version, status, plan_status,
            apply_status, holds_workspace, request, sealed_variables, plan_only, source,
            state_uncertain, timestamps, created_by_kind, created_by_id, created_by_name,
            created_at, changed_at, pre_plan_gate)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, $21, $22, $23, $24, $25)",
    )
    .bind(&run.id)
    .bind(tenant.account())
    .bind(&run.environment_id)
    .bind(&run.workspace_id)
    .bind(&run.configuration_version_id)
    .bind(&run.plan_id)
    .bind(&run.apply_id)
    .bind(run.number)
    .bind(run.version)
    .bind(run.state.status)
    .bind(run.state.plan)
    .bind(run.state.apply)
    .bind(run.state.holds_workspace)
    .bind(Json(&run.request))
    .bind(sealed_variables)
    .bind(run.state.plan_only)
    .bind(run.source)
    .bind(run.state.state_uncertain)
    .bind(Json(&run.timestamps))
    .bind(run.created_by_kind)
    .bind(&run.created_by_id)
    .bind(&run.created_by_name)
    .bind(run.created_at)
    .bind(run.created_at)
    .bind(run.state.gates.pre_plan)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn find(conn: &mut Conn, tenant: &Tenant, id: &RunId) -> Result<Option<Run>> {
    let row = conn
        .build(SELECT)
        .push("WHERE r.account_id = ")
        .bind(tenant.account())
        .push(" AND r.id = ")
        .bind(id)
        .finish()
        .fetch_optional::<Row>()
        .await?;
    Ok(row.map(Run::from))
}

pub(super) async fn find_by_plan(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PlanId,
) -> Result<Option<Run>> {
    let row = conn
        .build(SELECT)
        .push("WHERE r.account_id = ")
        .bind(tenant.account())
        .push(" AND r.plan_id = ")
        .bind(id)
        .finish()
        .fetch_optional::<Row>()
        .await?;
    Ok(row.map(Run::from))
}

pub(super) async fn find_by_apply(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ApplyId,
) -> Result<Option<Run>> {
    let row = conn
        .build(SELECT)
        .push("WHERE r.account_id = ")
        .bind(tenant.account())
        .push(" AND r.apply_id = ")
        .bind(id)
        .finish()
        .fetch_optional::<Row>()
        .await?;
    Ok(row.map(Run::from))
}

/// The run whose plan or apply has this id, for log readers, who carry a signature instead of a
/// token.
pub(super) async fn account_of_phase(
    conn: &mut Conn,
    plan_or_apply: &str,
) -> Result<Option<(AccountId, RunId)>> {
    conn.query("SELECT account_id, id FROM runs WHERE plan_id = $1 OR apply_id = $1")
        .bind(plan_or_apply)
        .fetch_optional()
        .await
}

/// Newest first.
pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    filter: &RunFilter,
    page: Page,
) -> Result<Paged<Run>> {
    let total = filtered(conn, "SELECT COUNT(*) FROM runs r ", tenant, filter)
        .finish()
        .fetch_scalar()
        .await?;
    let rows = filtered(conn, SELECT, tenant, filter)
        .push(" ORDER BY r.created_at DESC, r.number DESC, r.id LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all::<Row>()
        .await?;
    Ok(Paged {
        items: rows.into_iter().map(Run::from).collect(),
        total,
    })
}

fn filtered<'c>(
    conn: &'c mut Conn,
    select: &'static str,
    tenant: &Tenant,
    filter: &RunFilter,
) -> db::Builder<'c> {
    let like = |text: &String| format!("%{}%", text.to_lowercase());
    let query = conn
        .build(select)
        .push("WHERE r.account_id = ")
        .bind(tenant.account())
        .push_if(" AND r.workspace_id = ", filter.workspace.as_ref())
        .push_if(" AND r.environment_id = ", filter.environment.as_ref())
        .push_in(" AND r.status IN (", filter.statuses.iter().copied())
        .push_in(" AND r.source IN (", filter.sources.iter().copied())
        .push_if(" AND r.plan_only = ", filter.plan_only)
        .push_if(
            " AND LOWER(r.request ->> 'message') LIKE ",
            filter.message.as_ref().map(like),
        )
        .push_if(" AND r.created_by_name = ", filter.user.as_ref());
    seen(query, &filter.visible)
}

/// Only the runs of workspaces that the caller may see.
fn seen<'c>(query: db::Builder<'c>, visible: &Visible) -> db::Builder<'c> {
    match visible {
        Visible::All => query,
        Visible::Only {
            projects,
            workspaces,
            ..
        } => query
            .push(" AND EXISTS (SELECT 1 FROM workspaces w WHERE w.id = r.workspace_id AND (1 = 0")
            .push_in(" OR w.project_id IN (", projects)
            .push_in(" OR w.id IN (", workspaces)
            .push("))"),
    }
}

/// Runs of a workspace that are waiting or running, in their order.
pub(super) async fn unfinished(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
) -> Result<Vec<Run>> {
    let rows = conn
        .build(SELECT)
        .push("WHERE r.account_id = ")
        .bind(tenant.account())
        .push(" AND r.workspace_id = ")
        .bind(workspace)
        .push(
            " AND r.status NOT IN ('planned_and_finished', 'applied', 'errored', 'canceled',
                'discarded', 'policy_soft_failed') ORDER BY r.number",
        )
        .finish()
        .fetch_all::<Row>()
        .await?;
    Ok(rows.into_iter().map(Run::from).collect())
}

/// Workspaces with runs that wait for their turn.
pub(super) async fn workspaces_with_waiting_runs(
    conn: &mut Conn,
) -> Result<Vec<(AccountId, WorkspaceId)>> {
    conn.query(
        "SELECT DISTINCT account_id, workspace_id FROM runs
         WHERE status IN ('pending', 'confirmed')",
    )
    .fetch_all()
    .await
}

/// Writes a transition if the run is still at `run.version`: all that clients read together changes
/// together.
pub(super) async fn save(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &Run,
    now: Timestamp,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE runs SET status = $3, plan_status = $4, apply_status = $5,
                holds_workspace = $6, plan_result = $7, apply_result = $8, error = $9,
                state_uncertain = $10, cancel_requested_at = $11, timestamps = $12,
                changed_at = $13, cost_gate = $15, policy_gate = $16,
                approvals_outstanding = $17, gate_claimed_until = NULL, version = version + 1
             WHERE account_id = $1 AND id = $2 AND version = $14",
        )
        .bind(tenant.account())
        .bind(&run.id)
        .bind(run.state.status)
        .bind(run.state.plan)
        .bind(run.state.apply)
        .bind(run.state.holds_workspace)
        .bind(run.plan_result.as_ref().map(Json))
        .bind(run.apply_result.as_ref().map(Json))
        .bind(&run.error)
        .bind(run.state.state_uncertain)
        .bind(run.state.cancel_requested_at)
        .bind(Json(&run.timestamps))
        .bind(now)
        .bind(run.version)
        .bind(run.state.gates.cost)
        .bind(run.state.gates.policy)
        .bind(run.state.gates.approvals)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn sealed_variables(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &RunId,
) -> Result<Option<Vec<u8>>> {
    conn.query("SELECT sealed_variables FROM runs WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .fetch_scalar()
        .await
}

/// Adds a line to a run's history.
#[expect(clippy::too_many_arguments, reason = "each is a column of the row")]
pub(super) async fn insert_event(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
    action: &str,
    from: Option<RunStatus>,
    to: RunStatus,
    actor: &ActorStamp,
    comment: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "INSERT INTO run_events (id, account_id, run_id, position, action, from_status, to_status,
            actor_kind, actor_id, actor_name, comment, created_at)
         VALUES ($1, $2, $3,
            (SELECT COALESCE(MAX(position), 0) + 1 FROM run_events WHERE run_id = $3),
            $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(RunEventId::random())
    .bind(tenant.account())
    .bind(run)
    .bind(action)
    .bind(from)
    .bind(to)
    .bind(actor.kind)
    .bind(&actor.id)
    .bind(&actor.name)
    .bind(comment)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn events(conn: &mut Conn, tenant: &Tenant, run: &RunId) -> Result<Vec<RunEvent>> {
    conn.query(
        "SELECT id, action, from_status, to_status, actor_kind, actor_id, actor_name, comment,
            created_at
         FROM run_events WHERE account_id = $1 AND run_id = $2 ORDER BY position",
    )
    .bind(tenant.account())
    .bind(run)
    .fetch_all()
    .await
}

/// How many runs of an environment wait and how many are at work.
pub(super) async fn capacity(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
) -> Result<(i64, i64)> {
    conn.query(
        "SELECT CAST(COALESCE(SUM(CASE WHEN status IN ('pending', 'plan_queued', 'apply_queued',
                    'confirmed') THEN 1 ELSE 0 END), 0) AS BIGINT),
                CAST(COALESCE(SUM(CASE WHEN status IN ('fetching', 'planning', 'applying')
                    THEN 1 ELSE 0 END), 0) AS BIGINT)
         FROM runs WHERE account_id = $1 AND environment_id = $2
            AND status IN ('pending', 'plan_queued', 'apply_queued', 'confirmed', 'fetching',
                'planning', 'applying')",
    )
    .bind(tenant.account())
    .bind(environment)
    .fetch_one()
    .await
}

/// Runs of an environment that wait for a runner or a turn, in dispatch order.
pub(super) async fn queue(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    visible: &Visible,
    page: Page,
) -> Result<Paged<Run>> {
    const WAITING: &str =
        " AND r.status IN ('pending', 'plan_queued', 'apply_queued', 'confirmed')";
    let query = conn
        .build("SELECT COUNT(*) FROM runs r WHERE r.account_id = ")
        .bind(tenant.account())
        .push(" AND r.environment_id = ")
        .bind(environment)
        .push(WAITING);
    let total = seen(query, visible).finish().fetch_scalar().await?;
    let query = conn
        .build(SELECT)
        .push("WHERE r.account_id = ")
        .bind(tenant.account())
        .push(" AND r.environment_id = ")
        .bind(environment)
        .push(WAITING);
    let rows = seen(query, visible)
        .push(
            " ORDER BY CASE r.status WHEN 'apply_queued' THEN 0 WHEN 'confirmed' THEN 1
                WHEN 'plan_queued' THEN 2 ELSE 3 END, r.created_at, r.id LIMIT ",
        )
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all::<Row>()
        .await?;
    Ok(Paged {
        items: rows.into_iter().map(Run::from).collect(),
        total,
    })
}
