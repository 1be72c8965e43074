//! SQL of runners' identities and presence.

use std::collections::BTreeMap;

use db::{Conn, Json};
use domain::ids::{AccountId, RunnerId, RunnerPoolId};

use super::model::{Runner, Session};
use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT r.id, r.account_id, r.pool_id, p.name AS pool_name, r.name,
        r.software, r.public_key, r.cert_serial, r.revoked_at
    FROM runners r JOIN runner_pools p ON p.id = r.pool_id ";

/// A runner by the id in its certificate, which our own authority has signed.
pub(super) async fn find(conn: &mut Conn, id: &RunnerId) -> Result<Option<Runner>> {
    conn.build(SELECT)
        .push("WHERE r.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

/// A runner as it joins.
pub(super) struct NewRunner<'a> {
    pub id: &'a RunnerId,
    pub account: &'a AccountId,
    pub pool: &'a RunnerPoolId,
    pub name: &'a str,
    pub labels: &'a BTreeMap<String, String>,
    pub software: &'a str,
    pub public_key: Vec<u8>,
    pub serial: &'a str,
    pub not_after: Timestamp,
    pub now: Timestamp,
}

pub(super) async fn insert(conn: &mut Conn, new: NewRunner<'_>) -> Result<()> {
    conn.query(
        "INSERT INTO runners (id, account_id, pool_id, name, labels, capabilities, software,
            capacity, public_key, cert_serial, cert_not_after, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11)",
    )
    .bind(new.id)
    .bind(new.account)
    .bind(new.pool)
    .bind(new.name)
    .bind(Json(new.labels))
    .bind(Json(serde_json::json!({})))
    .bind(new.software)
    .bind(new.public_key)
    .bind(new.serial)
    .bind(new.not_after)
    .bind(new.now)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn set_certificate(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &RunnerId,
    public_key: Vec<u8>,
    serial: &str,
    not_after: Timestamp,
) -> Result<()> {
    conn.query(
        "UPDATE runners SET public_key = $3, cert_serial = $4, cert_not_after = $5
         WHERE account_id = $1 AND id = $2",
    )
    .bind(tenant.account())
    .bind(id)
    .bind(public_key)
    .bind(serial)
    .bind(not_after)
    .execute()
    .await?;
    Ok(())
}

/// Notes that a revoked runner is given a certificate for deliveries; `false` if it was given one
/// after `earlier`, or is not revoked.
pub(super) async fn note_delivery(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &RunnerId,
    now: Timestamp,
    earlier: Timestamp,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE runners SET delivery_issued_at = $3
             WHERE account_id = $1 AND id = $2 AND revoked_at IS NOT NULL
                AND (delivery_issued_at IS NULL OR delivery_issued_at <= $4)",
        )
        .bind(tenant.account())
        .bind(id)
        .bind(now)
        .bind(earlier)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn connected(conn: &mut Conn, session: &Session, now: Timestamp) -> Result<()> {
    conn.query(
        "UPDATE runners SET software = $2, capacity = $3, labels = $4, capabilities = $5,
            transport = $6, remote_address = $7, connected_at = $8, last_seen_at = $8
         WHERE id = $1",
    )
    .bind(&session.runner)
    .bind(&session.software)
    .bind(session.capacity)
    .bind(Json(&session.labels))
    .bind(Json(&session.capabilities))
    .bind(&session.transport)
    .bind(&session.remote)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn disconnected(conn: &mut Conn, id: &RunnerId, now: Timestamp) -> Result<()> {
    conn.query("UPDATE runners SET connected_at = NULL, last_seen_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Nobody is connected to a control plane that has just started.
pub(super) async fn nobody_connected(conn: &mut Conn) -> Result<()> {
    conn.query("UPDATE runners SET connected_at = NULL WHERE connected_at IS NOT NULL")
        .execute()
        .await?;
    Ok(())
}
