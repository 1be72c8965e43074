//! SQL of service accounts. Every function takes the tenant first.

use db::Conn;
use domain::ids::ServiceAccountId;

use super::model::ServiceAccount;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT id, name, description, enabled, created_at FROM service_accounts
    WHERE account_id = ";

pub async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ServiceAccountId,
) -> Result<Option<ServiceAccount>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    page: Page,
) -> Result<Paged<ServiceAccount>> {
    let total = conn
        .query("SELECT COUNT(*) FROM service_accounts WHERE account_id = $1")
        .bind(tenant.account())
        .fetch_scalar()
        .await?;
    let items = conn
        .build(SELECT)
        .bind(tenant.account())
        .push(" ORDER BY name LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    Ok(Paged { items, total })
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    account: &ServiceAccount,
) -> Result<()> {
    conn.query(
        "INSERT INTO service_accounts (id, account_id, name, description, enabled, created_at,
            updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
    )
    .bind(&account.id)
    .bind(tenant.account())
    .bind(&account.name)
    .bind(&account.description)
    .bind(account.enabled)
    .bind(account.created_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn update(
    conn: &mut Conn,
    tenant: &Tenant,
    account: &ServiceAccount,
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "UPDATE service_accounts SET name = $3, description = $4, enabled = $5, updated_at = $6
         WHERE account_id = $1 AND id = $2",
    )
    .bind(tenant.account())
    .bind(&account.id)
    .bind(&account.name)
    .bind(&account.description)
    .bind(account.enabled)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn delete(conn: &mut Conn, tenant: &Tenant, id: &ServiceAccountId) -> Result<()> {
    conn.query("DELETE FROM service_accounts WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}
