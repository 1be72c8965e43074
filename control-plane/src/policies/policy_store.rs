//! Rows of single policies and of the sets they are in. Every function takes the tenant first.

use db::Conn;
use domain::ids::{AccountId, EnvironmentId, PolicyGroupId, PolicyId};

use super::model::SinglePolicy;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT p.id, p.environment_id, e.name AS environment_name, p.name,
        p.description, p.query, p.level, p.version, p.created_at, p.updated_at
    FROM policies p LEFT JOIN environments e ON e.id = p.environment_id ";

#[derive(sqlx::FromRow)]
struct Row {
    id: PolicyId,
    environment_id: Option<EnvironmentId>,
    environment_name: Option<String>,
    name: String,
    description: String,
    query: String,
    level: String,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Row> for SinglePolicy {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            environment_id: row.environment_id,
            environment_name: row.environment_name,
            name: row.name,
            description: row.description,
            query: row.query,
            // What can't be understood counts as the strictest.
            level: policy::Enforcement::parse(&row.level)
                .unwrap_or(policy::Enforcement::HardMandatory),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub(super) async fn insert(conn: &mut Conn, tenant: &Tenant, policy: &SinglePolicy) -> Result<()> {
    conn.query(
        "INSERT INTO policies (id, account_id, environment_id, name, description, query, level,
            version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&policy.id)
    .bind(tenant.account())
    .bind(&policy.environment_id)
    .bind(&policy.name)
    .bind(&policy.description)
    .bind(&policy.query)
    .bind(policy.level.as_str())
    .bind(policy.version)
    .bind(policy.created_at)
    .bind(policy.updated_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PolicyId,
) -> Result<Option<SinglePolicy>> {
    let row = conn
        .build(SELECT)
        .push("WHERE p.account_id = ")
        .bind(tenant.account())
        .push(" AND p.id = ")
        .bind(id)
        .finish()
        .fetch_optional::<Row>()
        .await?;
    Ok(row.map(SinglePolicy::from))
}

pub(super) async fn count(conn: &mut Conn, tenant: &Tenant) -> Result<i64> {
    conn.query("SELECT COUNT(*) FROM policies WHERE account_id = $1")
        .bind(tenant.account())
        .fetch_scalar()
        .await
}

/// Policies by name; `part` is a part of it, in any case.
pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    part: Option<&str>,
    page: Page,
) -> Result<Paged<SinglePolicy>> {
    let lower = part.map(str::to_lowercase);
    let total = conn
        .build("SELECT COUNT(*) FROM policies p WHERE p.account_id = ")
        .bind(tenant.account())
        .push_if(" AND LOWER(p.name) LIKE ", lower.as_deref().map(pattern))
        .finish()
        .fetch_scalar()
        .await?;
    let rows = conn
        .build(SELECT)
        .push("WHERE p.account_id = ")
        .bind(tenant.account())
        .push_if(" AND LOWER(p.name) LIKE ", lower.as_deref().map(pattern))
        .push(" ORDER BY p.name LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all::<Row>()
        .await?;
    Ok(Paged {
        items: rows.into_iter().map(SinglePolicy::from).collect(),
        total,
    })
}

/// Names have no sign with a meaning in patterns but `_`, which may stand for any one character here.
fn pattern(part: &str) -> String {
    format!("%{}%", part.replace(['%', '\\'], ""))
}

/// Writes what callers change, if the row is still at its version; raises it.
pub(super) async fn update(
    conn: &mut Conn,
    tenant: &Tenant,
    policy: &SinglePolicy,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE policies SET description = $3, query = $4, level = $5, updated_at = $6,
                version = version + 1
             WHERE account_id = $1 AND id = $2 AND version = $7",
        )
        .bind(tenant.account())
        .bind(&policy.id)
        .bind(&policy.description)
        .bind(&policy.query)
        .bind(policy.level.as_str())
        .bind(policy.updated_at)
        .bind(policy.version)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn set_text(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PolicyId,
    sealed: Vec<u8>,
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "UPDATE policies SET sealed_text = $3, updated_at = $4, version = version + 1
         WHERE account_id = $1 AND id = $2",
    )
    .bind(tenant.account())
    .bind(id)
    .bind(sealed)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn text(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PolicyId,
) -> Result<Option<Vec<u8>>> {
    let row: Option<(Option<Vec<u8>>,)> = conn
        .query("SELECT sealed_text FROM policies WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .fetch_optional()
        .await?;
    Ok(row.and_then(|(sealed,)| sealed))
}

pub(super) async fn delete(conn: &mut Conn, tenant: &Tenant, id: &PolicyId) -> Result<()> {
    conn.query("DELETE FROM policies WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

// ── sets ───────────────────────────────────────────────────────────────────────────────────────

pub(super) async fn add_member(
    conn: &mut Conn,
    tenant: &Tenant,
    group: &PolicyGroupId,
    policy: &PolicyId,
) -> Result<()> {
    conn.query(
        "INSERT INTO policy_members (account_id, group_id, policy_id) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.account())
    .bind(group)
    .bind(policy)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn remove_member(
    conn: &mut Conn,
    tenant: &Tenant,
    group: &PolicyGroupId,
    policy: &PolicyId,
) -> Result<()> {
    conn.query(
        "DELETE FROM policy_members WHERE account_id = $1 AND group_id = $2 AND policy_id = $3",
    )
    .bind(tenant.account())
    .bind(group)
    .bind(policy)
    .execute()
    .await?;
    Ok(())
}

/// Which policies are in these groups.
pub(super) async fn members(
    conn: &mut Conn,
    tenant: &Tenant,
    groups: &[&PolicyGroupId],
) -> Result<Vec<(PolicyGroupId, PolicyId)>> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    conn.build("SELECT group_id, policy_id FROM policy_members WHERE account_id = ")
        .bind(tenant.account())
        .push_in(" AND group_id IN (", groups.iter().copied())
        .push(" ORDER BY group_id, policy_id")
        .finish()
        .fetch_all()
        .await
}

/// In which groups these policies are.
pub(super) async fn sets_of(
    conn: &mut Conn,
    tenant: &Tenant,
    policies: &[&PolicyId],
) -> Result<Vec<(PolicyId, PolicyGroupId)>> {
    if policies.is_empty() {
        return Ok(Vec::new());
    }
    conn.build("SELECT policy_id, group_id FROM policy_members WHERE account_id = ")
        .bind(tenant.account())
        .push_in(" AND policy_id IN (", policies.iter().copied())
        .push(" ORDER BY policy_id, group_id")
        .finish()
        .fetch_all()
        .await
}

/// The policies of a group, by name.
pub(super) async fn of_group(
    conn: &mut Conn,
    tenant: &Tenant,
    group: &PolicyGroupId,
) -> Result<Vec<SinglePolicy>> {
    let rows = conn
        .build(SELECT)
        .push("JOIN policy_members m ON m.policy_id = p.id WHERE p.account_id = ")
        .bind(tenant.account())
        .push(" AND m.group_id = ")
        .bind(group)
        .push(" ORDER BY p.name")
        .finish()
        .fetch_all::<Row>()
        .await?;
    Ok(rows.into_iter().map(SinglePolicy::from).collect())
}

/// The groups that a policy is in have to be made anew.
pub(super) async fn mark_sets_stale(
    conn: &mut Conn,
    tenant: &Tenant,
    policy: &PolicyId,
) -> Result<()> {
    conn.query(
        "UPDATE policy_groups SET stale = TRUE, version = version + 1
         WHERE account_id = $1 AND source = 'policies' AND id IN (
            SELECT group_id FROM policy_members WHERE policy_id = $2)",
    )
    .bind(tenant.account())
    .bind(policy)
    .execute()
    .await?;
    Ok(())
}

/// A group has to be made anew of its policies.
pub(super) async fn mark_stale(
    conn: &mut Conn,
    tenant: &Tenant,
    group: &PolicyGroupId,
) -> Result<()> {
    conn.query(
        "UPDATE policy_groups SET stale = TRUE, version = version + 1
         WHERE account_id = $1 AND id = $2",
    )
    .bind(tenant.account())
    .bind(group)
    .execute()
    .await?;
    Ok(())
}

/// A group has been made anew of what it was at `version`.
pub(super) async fn made_anew(
    conn: &mut Conn,
    tenant: &Tenant,
    group: &PolicyGroupId,
    version: i64,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE policy_groups SET stale = FALSE
             WHERE account_id = $1 AND id = $2 AND version = $3 AND stale",
        )
        .bind(tenant.account())
        .bind(group)
        .bind(version)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// The groups of all accounts that have to be made anew.
pub(super) async fn stale(conn: &mut Conn) -> Result<Vec<(AccountId, PolicyGroupId)>> {
    conn.query("SELECT account_id, id FROM policy_groups WHERE stale ORDER BY id LIMIT 100")
        .fetch_all()
        .await
}
