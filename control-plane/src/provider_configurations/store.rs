//! Rows of provider configurations. Every function takes the tenant first.

use std::collections::BTreeMap;

use db::{Conn, Json};
use domain::ids::{EnvironmentId, ProviderConfigurationId, WorkspaceId};
use domain::provider::{AccessMethod, Provider};

use super::model::Configuration;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT c.id, c.environment_id, c.name, c.provider, c.method, c.settings,
        c.secret_names, c.apply_only, c.is_default, c.is_shared, c.version, c.created_at,
        c.updated_at, c.sealed_secrets
    FROM provider_configurations c WHERE c.account_id = ";

#[derive(Debug, sqlx::FromRow)]
struct Columns {
    id: ProviderConfigurationId,
    environment_id: Option<EnvironmentId>,
    name: String,
    provider: Provider,
    method: AccessMethod,
    #[sqlx(json)]
    settings: BTreeMap<String, String>,
    #[sqlx(json)]
    secret_names: Vec<String>,
    apply_only: bool,
    is_default: bool,
    is_shared: bool,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    sealed_secrets: Vec<u8>,
}

/// A configuration as stored: its secrets sealed.
#[derive(Debug)]
pub(super) struct Row {
    pub configuration: Configuration,
    pub sealed_secrets: Vec<u8>,
}

impl From<Columns> for Row {
    fn from(it: Columns) -> Self {
        let configuration = Configuration {
            id: it.id,
            environment_id: it.environment_id,
            name: it.name,
            provider: it.provider,
            method: it.method,
            settings: it.settings,
            secret_names: it.secret_names,
            apply_only: it.apply_only,
            is_default: it.is_default,
            is_shared: it.is_shared,
            version: it.version,
            created_at: it.created_at,
            updated_at: it.updated_at,
        };
        Self {
            configuration,
            sealed_secrets: it.sealed_secrets,
        }
    }
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ProviderConfigurationId,
) -> Result<Option<Row>> {
    let row: Option<Columns> = conn
        .build(SELECT)
        .bind(tenant.account())
        .push(" AND c.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await?;
    Ok(row.map(Row::from))
}

/// By name; of one provider, if it is given.
pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    provider: Option<Provider>,
    page: Page,
) -> Result<Paged<Configuration>> {
    let total = conn
        .build("SELECT COUNT(*) FROM provider_configurations WHERE account_id = ")
        .bind(tenant.account())
        .push_if(" AND provider = ", provider)
        .finish()
        .fetch_scalar()
        .await?;
    let rows: Vec<Columns> = conn
        .build(SELECT)
        .bind(tenant.account())
        .push_if(" AND c.provider = ", provider)
        .push(" ORDER BY c.name, c.id LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    let items = rows.into_iter().map(|row| Row::from(row).configuration);
    Ok(Paged {
        items: items.collect(),
        total,
    })
}

pub(super) async fn count(conn: &mut Conn, tenant: &Tenant) -> Result<i64> {
    conn.query("SELECT COUNT(*) FROM provider_configurations WHERE account_id = $1")
        .bind(tenant.account())
        .fetch_scalar()
        .await
}

/// What a workspace of this environment may use and links or receives by default.
pub(super) async fn candidates(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    workspace: &WorkspaceId,
) -> Result<Vec<Row>> {
    let rows: Vec<Columns> = conn
        .build(SELECT)
        .bind(tenant.account())
        .push(" AND (c.environment_id = ")
        .bind(environment)
        .push(
            " OR (c.environment_id IS NULL AND (c.is_shared OR EXISTS (
                SELECT 1 FROM provider_configuration_environments e
                WHERE e.configuration_id = c.id AND e.environment_id = ",
        )
        .bind(environment)
        .push(
            ")))) AND (c.is_default OR EXISTS (
                SELECT 1 FROM provider_configuration_links l
                WHERE l.configuration_id = c.id AND l.workspace_id = ",
        )
        .bind(workspace)
        .push(")) ORDER BY c.name, c.id")
        .finish()
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(Row::from).collect())
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    it: &Configuration,
    sealed_secrets: &[u8],
) -> Result<()> {
    conn.query(
        "INSERT INTO provider_configurations (id, account_id, environment_id, name, provider, method,
            settings, secret_names, sealed_secrets, apply_only, is_default, is_shared, version,
            created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(&it.id)
    .bind(tenant.account())
    .bind(&it.environment_id)
    .bind(&it.name)
    .bind(it.provider)
    .bind(it.method)
    .bind(Json(&it.settings))
    .bind(Json(&it.secret_names))
    .bind(sealed_secrets)
    .bind(it.apply_only)
    .bind(it.is_default)
    .bind(it.is_shared)
    .bind(it.version)
    .bind(it.created_at)
    .bind(it.updated_at)
    .execute()
    .await?;
    Ok(())
}

/// Writes a configuration if the row is still at its version; raises it.
pub(super) async fn update(
    conn: &mut Conn,
    tenant: &Tenant,
    it: &Configuration,
    sealed_secrets: &[u8],
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE provider_configurations SET name = $4, method = $5, settings = $6,
                secret_names = $7, sealed_secrets = $8, apply_only = $9, is_default = $10,
                is_shared = $11, updated_at = $12, version = version + 1
             WHERE account_id = $1 AND id = $2 AND version = $3",
        )
        .bind(tenant.account())
        .bind(&it.id)
        .bind(it.version)
        .bind(&it.name)
        .bind(it.method)
        .bind(Json(&it.settings))
        .bind(Json(&it.secret_names))
        .bind(sealed_secrets)
        .bind(it.apply_only)
        .bind(it.is_default)
        .bind(it.is_shared)
        .bind(it.updated_at)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn delete(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ProviderConfigurationId,
) -> Result<()> {
    conn.query("DELETE FROM provider_configurations WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

/// With which environments it is shared.
pub(super) async fn environments(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ProviderConfigurationId,
) -> Result<Vec<EnvironmentId>> {
    let rows: Vec<(EnvironmentId,)> = conn
        .query(
            "SELECT environment_id FROM provider_configuration_environments
             WHERE account_id = $1 AND configuration_id = $2 ORDER BY environment_id",
        )
        .bind(tenant.account())
        .bind(id)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

pub(super) async fn share_with(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ProviderConfigurationId,
    environments: &[EnvironmentId],
) -> Result<()> {
    conn.query(
        "DELETE FROM provider_configuration_environments
         WHERE account_id = $1 AND configuration_id = $2",
    )
    .bind(tenant.account())
    .bind(id)
    .execute()
    .await?;
    for environment in environments {
        conn.query(
            "INSERT INTO provider_configuration_environments (configuration_id, environment_id,
                account_id) VALUES ($1, $2, $3)",
        )
        .bind(id)
        .bind(environment)
        .bind(tenant.account())
        .execute()
        .await?;
    }
    Ok(())
}
