//! All SQL of the slice. Every function takes the tenant first.

use db::Conn;
use domain::ids::{ApprovalRuleId, EnvironmentId, RunId, UserId, WorkspaceId};

use super::model::{Approval, ApprovalRule};
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

const RULE: &str = "SELECT r.id, r.environment_id, e.name AS environment_name, r.workspace_id,
        r.team_id, t.name AS team_name, r.needed, r.applies_to, r.created_at
    FROM approval_rules r JOIN environments e ON e.id = r.environment_id
    LEFT JOIN teams t ON t.id = r.team_id ";

pub(super) async fn find_rule(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ApprovalRuleId,
) -> Result<Option<ApprovalRule>> {
    conn.build(RULE)
        .push("WHERE r.account_id = ")
        .bind(tenant.account())
        .push(" AND r.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

/// The rules of an environment itself, oldest first. Their number is bounded when they are made.
pub(super) async fn of_environment(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
) -> Result<Vec<ApprovalRule>> {
    conn.build(RULE)
        .push("WHERE r.account_id = ")
        .bind(tenant.account())
        .push(" AND r.environment_id = ")
        .bind(environment)
        .push(" AND r.workspace_id IS NULL ORDER BY r.created_at, r.id")
        .finish()
        .fetch_all()
        .await
}

/// The rules that hold in a workspace: those of its environment, then its own.
pub(super) async fn in_workspace(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    workspace: &WorkspaceId,
) -> Result<Vec<ApprovalRule>> {
    conn.build(RULE)
        .push("WHERE r.account_id = ")
        .bind(tenant.account())
        .push(" AND r.environment_id = ")
        .bind(environment)
        .push(" AND (r.workspace_id IS NULL OR r.workspace_id = ")
        .bind(workspace)
        .push(") ORDER BY CASE WHEN r.workspace_id IS NULL THEN 0 ELSE 1 END, r.created_at, r.id")
        .finish()
        .fetch_all()
        .await
}

pub(super) async fn insert_rule(
    conn: &mut Conn,
    tenant: &Tenant,
    rule: &ApprovalRule,
) -> Result<()> {
    conn.query(
        "INSERT INTO approval_rules (id, account_id, environment_id, workspace_id, team_id, needed,
            applies_to, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&rule.id)
    .bind(tenant.account())
    .bind(&rule.environment_id)
    .bind(&rule.workspace_id)
    .bind(&rule.team_id)
    .bind(rule.needed)
    .bind(rule.applies_to)
    .bind(rule.created_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn update_rule(
    conn: &mut Conn,
    tenant: &Tenant,
    rule: &ApprovalRule,
) -> Result<()> {
    conn.query(
        "UPDATE approval_rules SET team_id = $3, needed = $4, applies_to = $5
         WHERE account_id = $1 AND id = $2",
    )
    .bind(tenant.account())
    .bind(&rule.id)
    .bind(&rule.team_id)
    .bind(rule.needed)
    .bind(rule.applies_to)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn delete_rule(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ApprovalRuleId,
) -> Result<()> {
    conn.query("DELETE FROM approval_rules WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

// ── approvals ──────────────────────────────────────────────────────────────────────────────────

/// The approvals of a run, oldest first: one per user at most.
pub(super) async fn of_run(conn: &mut Conn, tenant: &Tenant, run: &RunId) -> Result<Vec<Approval>> {
    conn.query(
        "SELECT a.id, a.run_id, a.user_id, u.username, a.comment, a.created_at
         FROM run_approvals a JOIN users u ON u.id = a.user_id
         WHERE a.account_id = $1 AND a.run_id = $2 ORDER BY a.created_at, a.id",
    )
    .bind(tenant.account())
    .bind(run)
    .fetch_all()
    .await
}

pub(super) async fn insert(conn: &mut Conn, tenant: &Tenant, approval: &Approval) -> Result<()> {
    conn.query(
        "INSERT INTO run_approvals (id, account_id, run_id, user_id, comment, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&approval.id)
    .bind(tenant.account())
    .bind(&approval.run_id)
    .bind(&approval.user_id)
    .bind(&approval.comment)
    .bind(approval.created_at)
    .execute()
    .await?;
    Ok(())
}

/// Whether there was one.
pub(super) async fn delete(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
    user: &UserId,
) -> Result<bool> {
    let rows = conn
        .query("DELETE FROM run_approvals WHERE account_id = $1 AND run_id = $2 AND user_id = $3")
        .bind(tenant.account())
        .bind(run)
        .bind(user)
        .execute()
        .await?;
    Ok(rows == 1)
}
