//! SQL of pools.

use db::{Conn, Tx};
use domain::ids::{RunnerPoolId, WorkspaceId};

use super::model::{NewPool, Pool};
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT p.id, p.name, p.is_default, p.minimum_sandbox,
        p.refuse_reachable_metadata, p.created_at,
        (SELECT COUNT(*) FROM runners r WHERE r.account_id = p.account_id AND r.pool_id = p.id
            AND r.revoked_at IS NULL AND r.connected_at IS NOT NULL) AS connected,
        COALESCE(e.name, (SELECT f.name FROM environments f WHERE f.account_id = p.account_id
            ORDER BY f.created_at, f.id LIMIT 1)) AS environment_name
    FROM runner_pools p
    LEFT JOIN environments e ON e.id = p.environment_id AND e.account_id = p.account_id ";

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &RunnerPoolId,
) -> Result<Option<Pool>> {
    conn.build(SELECT)
        .push("WHERE p.account_id = ")
        .bind(tenant.account())
        .push(" AND p.deleted_at IS NULL AND p.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    search: Option<&str>,
    page: Page,
) -> Result<Paged<Pool>> {
    // Taken literally: what LIKE understands is not what people type.
    let text = search.map(str::to_lowercase);
    let total = conn
        .build("SELECT COUNT(*) FROM runner_pools p WHERE p.account_id = ")
        .bind(tenant.account())
        .push(" AND p.deleted_at IS NULL")
        .push_if(" AND LOWER(p.name) LIKE ", pattern(text.as_deref()))
        .finish()
        .fetch_scalar()
        .await?;
    let items = conn
        .build(SELECT)
        .push("WHERE p.account_id = ")
        .bind(tenant.account())
        .push(" AND p.deleted_at IS NULL")
        .push_if(" AND LOWER(p.name) LIKE ", pattern(text.as_deref()))
        .push(" ORDER BY p.name, p.id LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    Ok(Paged { items, total })
}

fn pattern(text: Option<&str>) -> Option<String> {
    text.map(|text| format!("%{text}%"))
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &RunnerPoolId,
    new: &NewPool,
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "INSERT INTO runner_pools (id, account_id, name, is_default, minimum_sandbox,
            refuse_reachable_metadata, environment_id, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id)
    .bind(tenant.account())
    .bind(&new.name)
    .bind(false)
    .bind(new.demands.minimum_sandbox.as_str())
    .bind(new.demands.refuse_reachable_metadata)
    .bind(&new.environment)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn update(conn: &mut Conn, tenant: &Tenant, pool: &Pool) -> Result<()> {
    conn.query(
        "UPDATE runner_pools SET name = $3, minimum_sandbox = $4, refuse_reachable_metadata = $5
         WHERE account_id = $1 AND id = $2",
    )
    .bind(tenant.account())
    .bind(&pool.id)
    .bind(&pool.name)
    .bind(&pool.minimum_sandbox)
    .bind(pool.refuse_reachable_metadata)
    .execute()
    .await?;
    Ok(())
}

/// Whoever binds something to a pool, or deletes it, holds its row.
pub(super) async fn lock(tx: &mut Tx, id: &RunnerPoolId) -> Result<()> {
    tx.lock_row("runner_pools", id.as_str()).await
}

/// Hides a pool, frees its name, and ends its join tokens and its runners.
pub(super) async fn delete(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &RunnerPoolId,
    now: Timestamp,
) -> Result<()> {
    for sql in [
        "UPDATE runner_pools SET deleted_at = $3, name = name || ' ' || id
         WHERE account_id = $1 AND id = $2",
        "UPDATE join_tokens SET revoked_at = $3
         WHERE account_id = $1 AND pool_id = $2 AND revoked_at IS NULL",
        "UPDATE runners SET revoked_at = $3
         WHERE account_id = $1 AND pool_id = $2 AND revoked_at IS NULL",
    ] {
        conn.query(sql)
            .bind(tenant.account())
            .bind(id)
            .bind(now)
            .execute()
            .await?;
    }
    Ok(())
}

/// The workspaces bound to pools: pairs of pool and workspace, of one pool or of all.
pub(super) async fn bound(
    conn: &mut Conn,
    tenant: &Tenant,
    pool: Option<&RunnerPoolId>,
    limit: i64,
) -> Result<Vec<(RunnerPoolId, WorkspaceId)>> {
    conn.build("SELECT pool_id, id FROM workspaces WHERE pool_id IS NOT NULL AND account_id = ")
        .bind(tenant.account())
        .push_if(" AND pool_id = ", pool)
        .push(" ORDER BY pool_id, id LIMIT ")
        .bind(limit)
        .finish()
        .fetch_all()
        .await
}

/// How many jobs of a pool have not ended.
pub(super) async fn unfinished_jobs(
    conn: &mut Conn,
    tenant: &Tenant,
    pool: &RunnerPoolId,
) -> Result<i64> {
    conn.query(
        "SELECT COUNT(*) FROM jobs WHERE account_id = $1 AND pool_id = $2
            AND status IN ('queued', 'offered', 'leased', 'out-of-contact')",
    )
    .bind(tenant.account())
    .bind(pool)
    .fetch_scalar()
    .await
}

/// What a pool demands: its level and whether runners that reach the metadata address are refused.
pub(super) async fn demands(
    conn: &mut Conn,
    pool: &RunnerPoolId,
) -> Result<Option<(String, bool)>> {
    conn.query("SELECT minimum_sandbox, refuse_reachable_metadata FROM runner_pools WHERE id = $1")
        .bind(pool)
        .fetch_optional()
        .await
}

/// The capabilities of the pool's connected runners.
pub(super) async fn connected(
    conn: &mut Conn,
    tenant: &Tenant,
    pool: &RunnerPoolId,
) -> Result<Vec<(db::Json<serde_json::Value>,)>> {
    conn.query(
        "SELECT capabilities FROM runners
         WHERE account_id = $1 AND pool_id = $2 AND revoked_at IS NULL AND connected_at IS NOT NULL
         LIMIT 1000",
    )
    .bind(tenant.account())
    .bind(pool)
    .fetch_all()
    .await
}
