//! Rows of parameters. Every function takes the tenant first.

use db::Conn;
use domain::ids::{PolicyGroupId, PolicyParameterId};

use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

#[derive(Debug, sqlx::FromRow)]
pub(super) struct Row {
    pub id: PolicyParameterId,
    pub group_id: PolicyGroupId,
    pub key: String,
    pub sealed_value: Vec<u8>,
    pub sensitive: bool,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

const SELECT: &str = "SELECT id, group_id, key, sealed_value, sensitive, version, created_at,
    updated_at FROM policy_parameters WHERE account_id = ";

/// A group's parameters, by key.
pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    group: &PolicyGroupId,
) -> Result<Vec<Row>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND group_id = ")
        .bind(group)
        .push(" ORDER BY key")
        .finish()
        .fetch_all()
        .await
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    group: &PolicyGroupId,
    id: &PolicyParameterId,
) -> Result<Option<Row>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND group_id = ")
        .bind(group)
        .push(" AND id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn insert(conn: &mut Conn, tenant: &Tenant, row: &Row) -> Result<()> {
    conn.query(
        "INSERT INTO policy_parameters (id, account_id, group_id, key, sealed_value, sensitive,
            version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&row.id)
    .bind(tenant.account())
    .bind(&row.group_id)
    .bind(&row.key)
    .bind(row.sealed_value.clone())
    .bind(row.sensitive)
    .bind(row.version)
    .bind(row.created_at)
    .bind(row.updated_at)
    .execute()
    .await?;
    Ok(())
}

/// Writes a row that is still at `row.version`; raises it.
pub(super) async fn update(conn: &mut Conn, tenant: &Tenant, row: &Row) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE policy_parameters SET key = $3, sealed_value = $4, sensitive = $5,
                updated_at = $6, version = version + 1
             WHERE account_id = $1 AND id = $2 AND version = $7",
        )
        .bind(tenant.account())
        .bind(&row.id)
        .bind(&row.key)
        .bind(row.sealed_value.clone())
        .bind(row.sensitive)
        .bind(row.updated_at)
        .bind(row.version)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn delete(conn: &mut Conn, tenant: &Tenant, id: &PolicyParameterId) -> Result<()> {
    conn.query("DELETE FROM policy_parameters WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}
