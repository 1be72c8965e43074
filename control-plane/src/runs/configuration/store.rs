//! Rows of configuration versions.

use std::collections::BTreeMap;

use db::{Conn, Json};
use domain::ids::{AccountId, BlobId, ConfigurationVersionId, WorkspaceId};
use domain::workspace::ConfigurationStatus;

use super::model::{ConfigurationVersion, Fetched};
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT id, account_id, workspace_id, status, source, speculative,
    provisional, auto_queue_runs, blob_id, size, git, error_message, timestamps, created_by,
    created_at FROM configuration_versions ";

#[derive(sqlx::FromRow)]
struct Row {
    id: ConfigurationVersionId,
    account_id: AccountId,
    workspace_id: WorkspaceId,
    status: ConfigurationStatus,
    source: String,
    speculative: bool,
    provisional: bool,
    auto_queue_runs: bool,
    blob_id: Option<BlobId>,
    size: Option<i64>,
    #[sqlx(json(nullable))]
    git: Option<Fetched>,
    error_message: Option<String>,
    #[sqlx(json)]
    timestamps: BTreeMap<String, Timestamp>,
    created_by: String,
    created_at: Timestamp,
}

impl From<Row> for ConfigurationVersion {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            account_id: row.account_id,
            workspace_id: row.workspace_id,
            status: row.status,
            source: row.source,
            speculative: row.speculative,
            provisional: row.provisional,
            auto_queue_runs: row.auto_queue_runs,
            blob_id: row.blob_id,
            size: row.size,
            git: row.git,
            error_message: row.error_message,
            timestamps: row.timestamps,
            created_by: row.created_by,
            created_at: row.created_at,
        }
    }
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    version: &ConfigurationVersion,
) -> Result<()> {
    conn.query(
        "INSERT INTO configuration_versions (id, account_id, workspace_id, status, source,
            speculative, provisional, auto_queue_runs, git, timestamps, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(&version.id)
    .bind(tenant.account())
    .bind(&version.workspace_id)
    .bind(version.status)
    .bind(&version.source)
    .bind(version.speculative)
    .bind(version.provisional)
    .bind(version.auto_queue_runs)
    .bind(version.git.as_ref().map(Json))
    .bind(Json(&version.timestamps))
    .bind(&version.created_by)
    .bind(version.created_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ConfigurationVersionId,
) -> Result<Option<ConfigurationVersion>> {
    let row = conn
        .build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND id = ")
        .bind(id)
        .finish()
        .fetch_optional::<Row>()
        .await?;
    Ok(row.map(ConfigurationVersion::from))
}

/// Whose configuration version this is, for holders of a signed URL.
pub(super) async fn account_of(
    conn: &mut Conn,
    id: &ConfigurationVersionId,
) -> Result<Option<AccountId>> {
    let row: Option<(AccountId,)> = conn
        .query("SELECT account_id FROM configuration_versions WHERE id = $1")
        .bind(id)
        .fetch_optional()
        .await?;
    Ok(row.map(|(account,)| account))
}

pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
    page: Page,
) -> Result<Paged<ConfigurationVersion>> {
    let total = conn
        .query(
            "SELECT COUNT(*) FROM configuration_versions
             WHERE account_id = $1 AND workspace_id = $2",
        )
        .bind(tenant.account())
        .bind(workspace)
        .fetch_scalar()
        .await?;
    let rows = conn
        .build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND workspace_id = ")
        .bind(workspace)
        .push(" ORDER BY created_at DESC, id LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all::<Row>()
        .await?;
    Ok(Paged {
        items: rows.into_iter().map(ConfigurationVersion::from).collect(),
        total,
    })
}

/// The newest usable one that isn't for dry runs only.
pub(super) async fn newest_uploaded(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
) -> Result<Option<ConfigurationVersion>> {
    let row = conn
        .build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND workspace_id = ")
        .bind(workspace)
        .push(
            " AND status = 'uploaded' AND NOT speculative AND NOT provisional
              ORDER BY created_at DESC, id LIMIT 1",
        )
        .finish()
        .fetch_optional::<Row>()
        .await?;
    Ok(row.map(ConfigurationVersion::from))
}

/// Moves a version on if it still is in `from`.
pub(super) async fn save(
    conn: &mut Conn,
    tenant: &Tenant,
    version: &ConfigurationVersion,
    from: ConfigurationStatus,
    sha256: Option<&str>,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE configuration_versions SET status = $4, blob_id = $5, size = $6,
                sha256 = COALESCE($7, sha256),
                git = $8, error_message = $9, timestamps = $10
             WHERE account_id = $1 AND id = $2 AND status = $3",
        )
        .bind(tenant.account())
        .bind(&version.id)
        .bind(from)
        .bind(version.status)
        .bind(&version.blob_id)
        .bind(version.size)
        .bind(sha256)
        .bind(version.git.as_ref().map(Json))
        .bind(&version.error_message)
        .bind(Json(&version.timestamps))
        .execute()
        .await?;
    Ok(rows == 1)
}
