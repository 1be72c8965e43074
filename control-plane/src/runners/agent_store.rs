//! SQL of runners as people see them.

use db::Conn;
use domain::ids::{RunnerId, RunnerPoolId};

use super::model::Agent;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT r.id, r.pool_id, r.name, r.labels, r.capabilities, r.software,
        r.capacity, r.cert_not_after, r.transport, r.remote_address, r.connected_at,
        r.last_seen_at, r.created_at,
        (SELECT COUNT(*) FROM jobs j WHERE j.runner_id = r.id
            AND j.status IN ('offered', 'leased', 'out-of-contact')) AS jobs
    FROM runners r ";

pub(super) async fn find(conn: &mut Conn, tenant: &Tenant, id: &RunnerId) -> Result<Option<Agent>> {
    conn.build(SELECT)
        .push("WHERE r.account_id = ")
        .bind(tenant.account())
        .push(" AND r.revoked_at IS NULL AND r.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

/// Runners of a pool by name; those seen since a time, if one is given.
pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    pool: &RunnerPoolId,
    since: Option<Timestamp>,
    page: Page,
) -> Result<Paged<Agent>> {
    let total = conn
        .build("SELECT COUNT(*) FROM runners r WHERE r.account_id = ")
        .bind(tenant.account())
        .push(" AND r.pool_id = ")
        .bind(pool)
        .push(" AND r.revoked_at IS NULL")
        .push_if(
            " AND (r.connected_at IS NOT NULL OR r.last_seen_at >= ",
            since,
        )
        .push(if since.is_some() { ")" } else { "" })
        .finish()
        .fetch_scalar()
        .await?;
    let items = conn
        .build(SELECT)
        .push("WHERE r.account_id = ")
        .bind(tenant.account())
        .push(" AND r.pool_id = ")
        .bind(pool)
        .push(" AND r.revoked_at IS NULL")
        .push_if(
            " AND (r.connected_at IS NOT NULL OR r.last_seen_at >= ",
            since,
        )
        .push(if since.is_some() { ")" } else { "" })
        .push(" ORDER BY r.name, r.id LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    Ok(Paged { items, total })
}

pub(super) async fn revoke(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &RunnerId,
    now: Timestamp,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE runners SET revoked_at = $3
             WHERE account_id = $1 AND id = $2 AND revoked_at IS NULL",
        )
        .bind(tenant.account())
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Revoked runners whose certificate is still good: one that has run out is refused anyway, and is
/// not renewed.
pub(super) async fn revoked(conn: &mut Conn, now: Timestamp) -> Result<Vec<(RunnerId,)>> {
    conn.query("SELECT id FROM runners WHERE revoked_at IS NOT NULL AND cert_not_after > $1")
        .bind(now)
        .fetch_all()
        .await
}
