//! Rows of links. Every function takes the tenant first.

use db::Conn;
use domain::ids::{ProviderConfigurationId, ProviderLinkId, WorkspaceId};

use super::model::Link;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str =
    "SELECT l.id, l.configuration_id, c.name AS configuration_name, l.workspace_id,
        w.name AS workspace_name, w.environment_id, w.project_id, l.alias, l.created_at
    FROM provider_configuration_links l
    JOIN provider_configurations c ON c.id = l.configuration_id
    JOIN workspaces w ON w.id = l.workspace_id WHERE l.account_id = ";

/// The links of a workspace. Their number is bounded when they are made.
pub(super) async fn of_workspace(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
) -> Result<Vec<Link>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND l.workspace_id = ")
        .bind(workspace)
        .push(" ORDER BY c.name, l.alias, l.id")
        .finish()
        .fetch_all()
        .await
}

/// Who uses a configuration, at most `limit`.
pub(super) async fn of_configuration(
    conn: &mut Conn,
    tenant: &Tenant,
    configuration: &ProviderConfigurationId,
    limit: i64,
) -> Result<Vec<Link>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND l.configuration_id = ")
        .bind(configuration)
        .push(" ORDER BY w.name, l.alias, l.id LIMIT ")
        .bind(limit)
        .finish()
        .fetch_all()
        .await
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ProviderLinkId,
) -> Result<Option<Link>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND l.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn insert(conn: &mut Conn, tenant: &Tenant, link: &Link) -> Result<()> {
    conn.query(
        "INSERT INTO provider_configuration_links (id, account_id, configuration_id, workspace_id,
            alias, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&link.id)
    .bind(tenant.account())
    .bind(&link.configuration_id)
    .bind(&link.workspace_id)
    .bind(&link.alias)
    .bind(link.created_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn delete(conn: &mut Conn, tenant: &Tenant, id: &ProviderLinkId) -> Result<()> {
    conn.query("DELETE FROM provider_configuration_links WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}
