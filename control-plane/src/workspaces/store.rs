//! All SQL of the slice. Every function takes the tenant first.

use db::{Conn, Json, Tx};
use domain::ids::{
    AccountId, ConfigurationVersionId, EnvironmentId, ProjectId, RunId, RunnerPoolId,
    StateVersionId, WorkspaceId,
};
use domain::workspace::LockKind;

use super::lock::Lock;
use super::model::{Filter, GitSource, Workspace, WorkspaceKey};
use super::settings::Settings;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};
use crate::iam::Visible;

const SELECT: &str = "SELECT w.id, w.account_id, w.environment_id, e.name AS environment_name,
        w.project_id, w.name, w.settings, w.git, w.pool_id, w.lock_kind, w.lock_holder_id,
        w.lock_holder_name, w.lock_reason, w.locked_at, w.current_run_id,
        w.current_state_version_id, w.current_configuration_version_id, w.resource_count,
        w.version, w.created_at, w.updated_at
    FROM workspaces w JOIN environments e ON e.id = w.environment_id ";

#[derive(sqlx::FromRow)]
struct Row {
    id: WorkspaceId,
    account_id: AccountId,
    environment_id: EnvironmentId,
    environment_name: String,
    project_id: ProjectId,
    name: String,
    #[sqlx(json)]
    settings: Settings,
    #[sqlx(json(nullable))]
    git: Option<GitSource>,
    pool_id: Option<RunnerPoolId>,
    lock_kind: Option<LockKind>,
    lock_holder_id: Option<String>,
    lock_holder_name: Option<String>,
    lock_reason: Option<String>,
    locked_at: Option<Timestamp>,
    current_run_id: Option<RunId>,
    current_state_version_id: Option<StateVersionId>,
    current_configuration_version_id: Option<ConfigurationVersionId>,
    resource_count: i64,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Row> for Workspace {
    fn from(row: Row) -> Self {
        let lock = row
            .lock_kind
            .zip(row.lock_holder_id)
            .zip(row.locked_at)
            .map(|((kind, holder_id), since)| Lock {
                kind,
                holder_id,
                holder_name: row.lock_holder_name.unwrap_or_default(),
                reason: row.lock_reason.unwrap_or_default(),
                since,
            });
        Self {
            id: row.id,
            account_id: row.account_id,
            environment_id: row.environment_id,
            environment_name: row.environment_name,
            project_id: row.project_id,
            name: row.name,
            settings: row.settings,
            git: row.git,
            pool_id: row.pool_id,
            lock,
            current_run_id: row.current_run_id,
            current_state_version_id: row.current_state_version_id,
            current_configuration_version_id: row.current_configuration_version_id,
            resource_count: row.resource_count,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &Workspace,
) -> Result<(), db::Error> {
    conn.query(
        "INSERT INTO workspaces (id, account_id, environment_id, project_id, name, settings, git,
            pool_id, last_run_number, last_state_number, resource_count, version, created_at,
            updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0, $9, $10, $11)",
    )
    .bind(&workspace.id)
    .bind(tenant.account())
    .bind(&workspace.environment_id)
    .bind(&workspace.project_id)
    .bind(&workspace.name)
    .bind(Json(&workspace.settings))
    .bind(workspace.git.as_ref().map(Json))
    .bind(&workspace.pool_id)
    .bind(workspace.version)
    .bind(workspace.created_at)
    .bind(workspace.updated_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    key: &WorkspaceKey,
) -> Result<Option<Workspace>, db::Error> {
    let query = conn
        .build(SELECT)
        .push("WHERE w.account_id = ")
        .bind(tenant.account());
    let query = match key {
        WorkspaceKey::Id(id) => query.push(" AND w.id = ").bind(id),
        WorkspaceKey::Name { environment, name } => query
            .push(" AND (e.name = ")
            .bind(environment)
            .push(" OR e.id = ")
            .bind(environment)
            .push(") AND w.name = ")
            .bind(name),
    };
    Ok(query
        .finish()
        .fetch_optional::<Row>()
        .await?
        .map(Workspace::from))
}

pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    filter: &Filter,
    visible: &Visible,
    page: Page,
) -> Result<Paged<Workspace>, db::Error> {
    let total = filtered(
        conn,
        "SELECT COUNT(*) FROM workspaces w ",
        tenant,
        environment,
        filter,
        visible,
    )
    .finish()
    .fetch_scalar()
    .await?;
    let order = if filter.descending {
        " ORDER BY w.name DESC LIMIT "
    } else {
        " ORDER BY w.name LIMIT "
    };
    let rows = filtered(conn, SELECT, tenant, environment, filter, visible)
        .push(order)
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all::<Row>()
        .await?;
    Ok(Paged {
        items: rows.into_iter().map(Workspace::from).collect(),
        total,
    })
}

fn filtered<'c>(
    conn: &'c mut Conn,
    select: &'static str,
    tenant: &Tenant,
    environment: &EnvironmentId,
    filter: &Filter,
    visible: &Visible,
) -> db::Builder<'c> {
    let mut query = conn
        .build(select)
        .push("WHERE w.account_id = ")
        .bind(tenant.account())
        .push(" AND w.environment_id = ")
        .bind(environment)
        .push_if(" AND w.project_id = ", filter.project.as_ref());
    if let Some(name) = &filter.name {
        query = query
            .push(" AND LOWER(w.name) LIKE ")
            .bind(format!("%{}%", escape_like(&name.to_lowercase())))
            .push(" ESCAPE '\\'");
    }
    for tag in &filter.tags {
        query = query.push(" AND EXISTS ").push(TAG_KEY).bind(tag).push(")");
    }
    for tag in &filter.exclude_tags {
        query = query
            .push(" AND NOT EXISTS ")
            .push(TAG_KEY)
            .bind(tag)
            .push(")");
    }
    for (key, value) in &filter.tagged {
        query = query
            .push(" AND EXISTS ")
            .push(TAG_KEY)
            .bind(key)
            .push_if(" AND t.value = ", value.as_ref())
            .push(")");
    }
    match visible {
        Visible::All => query,
        Visible::Only {
            projects,
            workspaces,
            ..
        } => query
            .push(" AND (1 = 0")
            .push_in(" OR w.project_id IN (", projects)
            .push_in(" OR w.id IN (", workspaces)
            .push(")"),
    }
}

const TAG_KEY: &str = "(SELECT 1 FROM tag_bindings t WHERE t.account_id = w.account_id
    AND t.workspace_id = w.id AND t.key = ";

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}

/// Writes name, settings, project and pool if the row is still at `workspace.version`; raises it.
pub(super) async fn update(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &Workspace,
) -> Result<bool, db::Error> {
    let rows = conn
        .query(
            "UPDATE workspaces SET name = $3, settings = $4, project_id = $5, git = $6,
                pool_id = $7, updated_at = $8, version = version + 1
             WHERE account_id = $1 AND id = $2 AND version = $9",
        )
        .bind(tenant.account())
        .bind(&workspace.id)
        .bind(&workspace.name)
        .bind(Json(&workspace.settings))
        .bind(&workspace.project_id)
        .bind(workspace.git.as_ref().map(Json))
        .bind(&workspace.pool_id)
        .bind(workspace.updated_at)
        .bind(workspace.version)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Sets or clears the lock if the row is still at `version`; raises it.
pub(super) async fn set_lock(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &WorkspaceId,
    version: i64,
    lock: Option<&Lock>,
) -> Result<bool, db::Error> {
    let rows = conn
        .query(
            "UPDATE workspaces SET lock_kind = $3, lock_holder_id = $4, lock_holder_name = $5,
                lock_reason = $6, locked_at = $7, version = version + 1
             WHERE account_id = $1 AND id = $2 AND version = $8",
        )
        .bind(tenant.account())
        .bind(id)
        .bind(lock.map(|it| it.kind))
        .bind(lock.map(|it| it.holder_id.clone()))
        .bind(lock.map(|it| it.holder_name.clone()))
        .bind(lock.map(|it| it.reason.clone()))
        .bind(lock.map(|it| it.since))
        .bind(version)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Makes what must be serial per workspace wait its turn: the row is locked until the end of `tx`.
pub(super) async fn lock_row(tx: &mut Tx, id: &WorkspaceId) -> Result<(), db::Error> {
    tx.lock_row("workspaces", id.as_str()).await
}

pub(super) async fn delete(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &WorkspaceId,
) -> Result<(), db::Error> {
    conn.query("DELETE FROM workspaces WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn set_current_run(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &WorkspaceId,
    run: Option<&RunId>,
) -> Result<(), db::Error> {
    conn.query("UPDATE workspaces SET current_run_id = $3 WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .bind(run)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn set_current_configuration(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &WorkspaceId,
    configuration: &ConfigurationVersionId,
) -> Result<(), db::Error> {
    conn.query(
        "UPDATE workspaces SET current_configuration_version_id = $3
         WHERE account_id = $1 AND id = $2",
    )
    .bind(tenant.account())
    .bind(id)
    .bind(configuration)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn set_current_state(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &WorkspaceId,
    state: &StateVersionId,
    resource_count: i64,
) -> Result<(), db::Error> {
    conn.query(
        "UPDATE workspaces SET current_state_version_id = $3, resource_count = $4
         WHERE account_id = $1 AND id = $2",
    )
    .bind(tenant.account())
    .bind(id)
    .bind(state)
    .bind(resource_count)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn set_git_token(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &WorkspaceId,
    sealed: &[u8],
) -> Result<(), db::Error> {
    conn.query("UPDATE workspaces SET sealed_git_token = $3 WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .bind(sealed.to_vec())
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn git_token(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &WorkspaceId,
) -> Result<Option<Vec<u8>>, db::Error> {
    conn.query("SELECT sealed_git_token FROM workspaces WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .fetch_scalar()
        .await
}

#[derive(Clone, Copy)]
pub(super) enum Counter {
    Run,
    State,
}

/// The next number of a workspace's runs or states. Call it with the row locked.
pub(super) async fn next_number(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &WorkspaceId,
    counter: Counter,
) -> Result<i64, db::Error> {
    let sql = match counter {
        Counter::Run => {
            "UPDATE workspaces SET last_run_number = last_run_number + 1
             WHERE account_id = $1 AND id = $2 RETURNING last_run_number"
        }
        Counter::State => {
            "UPDATE workspaces SET last_state_number = last_state_number + 1
             WHERE account_id = $1 AND id = $2 RETURNING last_state_number"
        }
    };
    conn.query(sql)
        .bind(tenant.account())
        .bind(id)
        .fetch_scalar()
        .await
}

/// Whether the bytes of a state that was announced under the present lock are still on their way.
pub(super) async fn has_pending_state(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &WorkspaceId,
    locked_at: Timestamp,
) -> Result<bool, db::Error> {
    let count: i64 = conn
        .query(
            "SELECT COUNT(*) FROM state_versions
             WHERE account_id = $1 AND workspace_id = $2 AND status = 'pending'
                AND created_at >= $3",
        )
        .bind(tenant.account())
        .bind(id)
        .bind(locked_at)
        .fetch_scalar()
        .await?;
    Ok(count > 0)
}
