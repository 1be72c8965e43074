//! SQL of roles. Every function takes the tenant first.

use db::{Conn, Json};
use domain::ids::RoleId;

use super::model::Role;
use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str =
    "SELECT id, name, description, permissions, updated_at FROM roles WHERE account_id = ";

#[derive(sqlx::FromRow)]
struct Row {
    id: RoleId,
    name: String,
    description: String,
    #[sqlx(json)]
    permissions: Vec<String>,
    updated_at: Timestamp,
}

impl From<Row> for Role {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            words: row.permissions,
            changed_at: Some(row.updated_at),
        }
    }
}

/// The account's own roles, by name.
pub(super) async fn list(conn: &mut Conn, tenant: &Tenant) -> Result<Vec<Role>> {
    let rows: Vec<Row> = conn
        .build(SELECT)
        .bind(tenant.account())
        .push(" ORDER BY name")
        .finish()
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(Role::from).collect())
}

pub(super) async fn find(conn: &mut Conn, tenant: &Tenant, id: &RoleId) -> Result<Option<Role>> {
    let row: Option<Row> = conn
        .build(SELECT)
        .bind(tenant.account())
        .push(" AND id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await?;
    Ok(row.map(Role::from))
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    role: &Role,
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "INSERT INTO roles (id, account_id, name, description, permissions, version, created_at,
            updated_at)
         VALUES ($1, $2, $3, $4, $5, 1, $6, $6)",
    )
    .bind(&role.id)
    .bind(tenant.account())
    .bind(&role.name)
    .bind(&role.description)
    .bind(Json(&role.words))
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn update(
    conn: &mut Conn,
    tenant: &Tenant,
    role: &Role,
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "UPDATE roles SET name = $3, description = $4, permissions = $5, updated_at = $6,
            version = version + 1
         WHERE account_id = $1 AND id = $2",
    )
    .bind(tenant.account())
    .bind(&role.id)
    .bind(&role.name)
    .bind(&role.description)
    .bind(Json(&role.words))
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn delete(conn: &mut Conn, tenant: &Tenant, id: &RoleId) -> Result<()> {
    conn.query("DELETE FROM roles WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}
