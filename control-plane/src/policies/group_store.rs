//! Rows of policy groups. Every function takes the tenant first.

use db::{Conn, Json};
use domain::ids::{EnvironmentId, PolicyGroupId, PolicyRevisionId, RunnerPoolId};
use domain::policy::{PolicySource, PolicyStage, RevisionStatus};

use super::model::{Layout, Newest, PolicyGroup};
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};
use crate::workspaces::GitSource;

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT g.id, g.environment_id, e.name AS environment_name, g.name, g.description, g.stage, g.source,
        g.layout, g.git, g.pool_id, g.enforced, g.overridable, g.newest_revision_id,
        r.status AS newest_status, r.error_message AS newest_error, g.good_revision_id, g.version,
        g.created_at, g.updated_at
    FROM policy_groups g LEFT JOIN policy_revisions r ON r.id = g.newest_revision_id
        LEFT JOIN environments e ON e.id = g.environment_id ";

#[derive(sqlx::FromRow)]
struct Row {
    id: PolicyGroupId,
    environment_id: Option<EnvironmentId>,
    environment_name: Option<String>,
    name: String,
    description: String,
    stage: PolicyStage,
    source: PolicySource,
    #[sqlx(json)]
    layout: Layout,
    #[sqlx(json(nullable))]
    git: Option<GitSource>,
    pool_id: Option<RunnerPoolId>,
    enforced: bool,
    overridable: bool,
    newest_revision_id: Option<PolicyRevisionId>,
    newest_status: Option<RevisionStatus>,
    newest_error: Option<String>,
    good_revision_id: Option<PolicyRevisionId>,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Row> for PolicyGroup {
    fn from(row: Row) -> Self {
        let newest = row.newest_revision_id.zip(row.newest_status);
        Self {
            id: row.id,
            environment_id: row.environment_id,
            environment_name: row.environment_name,
            name: row.name,
            description: row.description,
            stage: row.stage,
            source: row.source,
            layout: row.layout,
            git: row.git,
            pool_id: row.pool_id,
            enforced: row.enforced,
            overridable: row.overridable,
            newest: newest.map(|(id, status)| Newest {
                id,
                status,
                error: row.newest_error,
            }),
            good_revision_id: row.good_revision_id,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub(super) async fn insert(conn: &mut Conn, tenant: &Tenant, group: &PolicyGroup) -> Result<()> {
    conn.query(
        "INSERT INTO policy_groups (id, account_id, environment_id, name, description, stage,
            source, layout, git, pool_id, enforced, overridable, stale, last_number, version,
            created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, FALSE, 0, $13, $14, $15)",
    )
    .bind(&group.id)
    .bind(tenant.account())
    .bind(&group.environment_id)
    .bind(&group.name)
    .bind(&group.description)
    .bind(group.stage)
    .bind(group.source)
    .bind(Json(&group.layout))
    .bind(group.git.as_ref().map(Json))
    .bind(&group.pool_id)
    .bind(group.enforced)
    .bind(group.overridable)
    .bind(group.version)
    .bind(group.created_at)
    .bind(group.updated_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PolicyGroupId,
) -> Result<Option<PolicyGroup>> {
    let row = conn
        .build(SELECT)
        .push("WHERE g.account_id = ")
        .bind(tenant.account())
        .push(" AND g.id = ")
        .bind(id)
        .finish()
        .fetch_optional::<Row>()
        .await?;
    Ok(row.map(PolicyGroup::from))
}

pub(super) async fn count(conn: &mut Conn, tenant: &Tenant) -> Result<i64> {
    conn.query("SELECT COUNT(*) FROM policy_groups WHERE account_id = $1")
        .bind(tenant.account())
        .fetch_scalar()
        .await
}

/// Groups by name; `name` is a part of it, in any case.
pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    name: Option<&str>,
    page: Page,
) -> Result<Paged<PolicyGroup>> {
    let total = named(
        conn.build("SELECT COUNT(*) FROM policy_groups g WHERE g.account_id = ")
            .bind(tenant.account()),
        name,
    )
    .finish()
    .fetch_scalar()
    .await?;
    let rows = named(
        conn.build(SELECT)
            .push("WHERE g.account_id = ")
            .bind(tenant.account()),
        name,
    )
    .push(" ORDER BY g.name LIMIT ")
    .bind(page.limit())
    .push(" OFFSET ")
    .bind(page.offset())
    .finish()
    .fetch_all::<Row>()
    .await?;
    Ok(Paged {
        items: rows.into_iter().map(PolicyGroup::from).collect(),
        total,
    })
}

fn named<'c>(query: db::Builder<'c>, part: Option<&str>) -> db::Builder<'c> {
    let Some(part) = part else {
        return query;
    };
    let part = part
        .to_lowercase()
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    query
        .push(" AND LOWER(g.name) LIKE ")
        .bind(format!("%{part}%"))
        .push(" ESCAPE '\\'")
}

/// Writes what callers change, if the row is still at `group.version`; raises it.
pub(super) async fn update(conn: &mut Conn, tenant: &Tenant, group: &PolicyGroup) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE policy_groups SET name = $3, description = $4, stage = $5, source = $6,
                layout = $7, git = $8, pool_id = $9, enforced = $10, overridable = $11,
                updated_at = $12, version = version + 1
             WHERE account_id = $1 AND id = $2 AND version = $13",
        )
        .bind(tenant.account())
        .bind(&group.id)
        .bind(&group.name)
        .bind(&group.description)
        .bind(group.stage)
        .bind(group.source)
        .bind(Json(&group.layout))
        .bind(group.git.as_ref().map(Json))
        .bind(&group.pool_id)
        .bind(group.enforced)
        .bind(group.overridable)
        .bind(group.updated_at)
        .bind(group.version)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn delete(conn: &mut Conn, tenant: &Tenant, id: &PolicyGroupId) -> Result<()> {
    conn.query("DELETE FROM policy_groups WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

/// The number of the group's next revision; holds the group's row until the transaction ends.
pub(super) async fn next_number(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PolicyGroupId,
) -> Result<i64> {
    conn.query(
        "UPDATE policy_groups SET last_number = last_number + 1
         WHERE account_id = $1 AND id = $2 RETURNING last_number",
    )
    .bind(tenant.account())
    .bind(id)
    .fetch_scalar()
    .await
}

pub(super) async fn set_newest(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PolicyGroupId,
    revision: &PolicyRevisionId,
) -> Result<()> {
    conn.query(
        "UPDATE policy_groups SET newest_revision_id = $3 WHERE account_id = $1 AND id = $2",
    )
    .bind(tenant.account())
    .bind(id)
    .bind(revision)
    .execute()
    .await?;
    Ok(())
}

/// Puts a good revision in force, unless a newer one is.
pub(super) async fn put_in_force(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PolicyGroupId,
    revision: &PolicyRevisionId,
    number: i64,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE policy_groups SET good_revision_id = $3
             WHERE account_id = $1 AND id = $2 AND NOT EXISTS (
                SELECT 1 FROM policy_revisions r
                WHERE r.id = policy_groups.good_revision_id AND r.number > $4)",
        )
        .bind(tenant.account())
        .bind(id)
        .bind(revision)
        .bind(number)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn set_git_token(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PolicyGroupId,
    sealed: Option<Vec<u8>>,
) -> Result<()> {
    conn.query("UPDATE policy_groups SET sealed_git_token = $3 WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .bind(sealed)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn git_token(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PolicyGroupId,
) -> Result<Option<Vec<u8>>> {
    let row: Option<(Option<Vec<u8>>,)> = conn
        .query("SELECT sealed_git_token FROM policy_groups WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .fetch_optional()
        .await?;
    Ok(row.and_then(|(sealed,)| sealed))
}
