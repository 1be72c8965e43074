//! All SQL of the slice.

use db::Conn;
use domain::ids::{EnvironmentId, ProjectId, RunnerPoolId};

use super::model::{Account, Environment, Project};
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};
use crate::iam::Visible;

const ENVIRONMENT: &str =
    "SELECT id, account_id, name, email, max_concurrent_runs, version, created_at, updated_at
    FROM environments ";
const ACCOUNT: &str = "SELECT id, name, is_default, max_concurrent_runs, created_at FROM accounts ";
const PROJECT: &str = "SELECT id, account_id, environment_id, name, description, is_default,
    created_at FROM projects ";

type Result<T> = std::result::Result<T, db::Error>;

pub(super) async fn insert_account(conn: &mut Conn, account: &Account) -> Result<()> {
    conn.query("INSERT INTO accounts (id, name, is_default, created_at) VALUES ($1, $2, $3, $4)")
        .bind(&account.id)
        .bind(&account.name)
        .bind(account.is_default)
        .bind(account.created_at)
        .execute()
        .await?;
    Ok(())
}

/// All accounts of the installation.
pub(super) async fn accounts(conn: &mut Conn) -> Result<Vec<Account>> {
    conn.build(ACCOUNT)
        .push("ORDER BY id")
        .finish()
        .fetch_all()
        .await
}

pub(super) async fn default_account(conn: &mut Conn) -> Result<Option<Account>> {
    conn.build(ACCOUNT)
        .push("WHERE is_default")
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn account_name(conn: &mut Conn, tenant: &Tenant) -> Result<String> {
    conn.query("SELECT name FROM accounts WHERE id = $1")
        .bind(tenant.account())
        .fetch_scalar()
        .await
}

pub(super) async fn account_named(conn: &mut Conn, name: &str) -> Result<Option<Account>> {
    conn.build(ACCOUNT)
        .push("WHERE name = ")
        .bind(name)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn limit_account(
    conn: &mut Conn,
    tenant: &Tenant,
    max_concurrent_runs: Option<i64>,
) -> Result<()> {
    conn.query("UPDATE accounts SET max_concurrent_runs = $2 WHERE id = $1")
        .bind(tenant.account())
        .bind(max_concurrent_runs)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn insert_environment(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &Environment,
) -> Result<()> {
    conn.query(
        "INSERT INTO environments (id, account_id, name, email, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&environment.id)
    .bind(tenant.account())
    .bind(&environment.name)
    .bind(&environment.email)
    .bind(environment.version)
    .bind(environment.created_at)
    .bind(environment.updated_at)
    .execute()
    .await?;
    Ok(())
}

/// By name, or by `env-…` id.
pub(super) async fn find_environment(
    conn: &mut Conn,
    tenant: &Tenant,
    name_or_id: &str,
) -> Result<Option<Environment>> {
    conn.build(ENVIRONMENT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND (name = ")
        .bind(name_or_id)
        .push(" OR id = ")
        .bind(name_or_id)
        .push(")")
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn list_environments(
    conn: &mut Conn,
    tenant: &Tenant,
    search: Option<&str>,
    visible: &Visible,
    page: Page,
) -> Result<Paged<Environment>> {
    let pattern = search.map(|text| format!("%{}%", text.to_lowercase()));
    let total = conn
        .build("SELECT COUNT(*) FROM environments WHERE account_id = ")
        .bind(tenant.account())
        .push_if(" AND LOWER(name) LIKE ", pattern.clone());
    let total = seen_environments(total, visible)
        .finish()
        .fetch_scalar()
        .await?;
    let items = conn
        .build(ENVIRONMENT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push_if(" AND LOWER(name) LIKE ", pattern);
    let items = seen_environments(items, visible)
        .push(" ORDER BY name LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    Ok(Paged { items, total })
}

fn seen_environments<'c>(query: db::Builder<'c>, visible: &Visible) -> db::Builder<'c> {
    match visible {
        Visible::All => query,
        Visible::Only { environments, .. } => query
            .push(" AND (1 = 0")
            .push_in(" OR id IN (", environments)
            .push(")"),
    }
}

pub(super) async fn update_environment(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &Environment,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE environments SET name = $3, email = $4, updated_at = $5, version = version + 1,
                max_concurrent_runs = $7
             WHERE account_id = $1 AND id = $2 AND version = $6",
        )
        .bind(tenant.account())
        .bind(&environment.id)
        .bind(&environment.name)
        .bind(&environment.email)
        .bind(environment.updated_at)
        .bind(environment.version)
        .bind(environment.max_concurrent_runs)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Deletes an environment and its projects. Workspaces in it are a foreign-key violation.
pub(super) async fn delete_environment(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &EnvironmentId,
) -> Result<()> {
    for sql in [
        "DELETE FROM projects WHERE account_id = $1 AND environment_id = $2",
        "DELETE FROM environments WHERE account_id = $1 AND id = $2",
    ] {
        conn.query(sql)
            .bind(tenant.account())
            .bind(id)
            .execute()
            .await?;
    }
    Ok(())
}

pub(super) async fn count_workspaces(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    project: Option<&ProjectId>,
) -> Result<i64> {
    conn.build("SELECT COUNT(*) FROM workspaces WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND environment_id = ")
        .bind(environment)
        .push_if(" AND project_id = ", project)
        .finish()
        .fetch_scalar()
        .await
}

pub(super) async fn insert_project(
    conn: &mut Conn,
    tenant: &Tenant,
    project: &Project,
) -> Result<()> {
    conn.query(
        "INSERT INTO projects (id, account_id, environment_id, name, description, is_default,
            created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&project.id)
    .bind(tenant.account())
    .bind(&project.environment_id)
    .bind(&project.name)
    .bind(&project.description)
    .bind(project.is_default)
    .bind(project.created_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn find_project(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ProjectId,
) -> Result<Option<Project>> {
    conn.build(PROJECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn default_project(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
) -> Result<Option<Project>> {
    conn.build(PROJECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND environment_id = ")
        .bind(environment)
        .push(" AND is_default")
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn list_projects(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    names: &[&str],
    visible: &Visible,
    page: Page,
) -> Result<Paged<Project>> {
    let total = conn
        .build("SELECT COUNT(*) FROM projects WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND environment_id = ")
        .bind(environment)
        .push_in(" AND name IN (", names);
    let total = seen_projects(total, visible)
        .finish()
        .fetch_scalar()
        .await?;
    let items = conn
        .build(PROJECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND environment_id = ")
        .bind(environment)
        .push_in(" AND name IN (", names);
    let items = seen_projects(items, visible)
        .push(" ORDER BY name LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    Ok(Paged { items, total })
}

fn seen_projects<'c>(query: db::Builder<'c>, visible: &Visible) -> db::Builder<'c> {
    match visible {
        Visible::All => query,
        Visible::Only { projects, .. } => query
            .push(" AND (1 = 0")
            .push_in(" OR id IN (", projects)
            .push(")"),
    }
}

pub(super) async fn update_project(
    conn: &mut Conn,
    tenant: &Tenant,
    project: &Project,
) -> Result<()> {
    conn.query("UPDATE projects SET name = $3, description = $4 WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(&project.id)
        .bind(&project.name)
        .bind(&project.description)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn delete_project(conn: &mut Conn, tenant: &Tenant, id: &ProjectId) -> Result<()> {
    conn.query("DELETE FROM projects WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

/// Locks the pool's row, so that it isn't deleted while something is bound to it.
pub(super) async fn pool_exists(
    tx: &mut db::Tx,
    tenant: &Tenant,
    id: &RunnerPoolId,
) -> Result<bool> {
    tx.lock_row("runner_pools", id.as_str()).await?;
    let count: i64 = tx
        .query(
            "SELECT COUNT(*) FROM runner_pools
             WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL",
        )
        .bind(tenant.account())
        .bind(id)
        .fetch_scalar()
        .await?;
    Ok(count > 0)
}

pub(super) async fn default_pool(conn: &mut Conn, tenant: &Tenant) -> Result<Option<RunnerPoolId>> {
    let row: Option<(RunnerPoolId,)> = conn
        .query("SELECT id FROM runner_pools WHERE account_id = $1 AND is_default")
        .bind(tenant.account())
        .fetch_optional()
        .await?;
    Ok(row.map(|(id,)| id))
}

pub(super) async fn insert_pool(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &RunnerPoolId,
    name: &str,
    is_default: bool,
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "INSERT INTO runner_pools (id, account_id, name, is_default, minimum_sandbox,
            refuse_reachable_metadata, created_at)
         VALUES ($1, $2, $3, $4, 'none', $5, $6)",
    )
    .bind(id)
    .bind(tenant.account())
    .bind(name.to_owned())
    .bind(is_default)
    .bind(false)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}
