//! Rows of outputs.

use db::{Conn, Json};
use domain::ids::{StateOutputId, StateVersionId, WorkspaceId};
use serde_json::Value;

use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

/// Rows written with one statement.
const BATCH: usize = 200;

#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct OutputRow {
    pub id: StateOutputId,
    pub name: String,
    pub sensitive: bool,
    #[sqlx(rename = "type")]
    pub kind: String,
    /// `{"type": …}`
    #[sqlx(json)]
    pub detailed_type: Value,
    pub sealed_value: Vec<u8>,
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    version: &StateVersionId,
    outputs: &[OutputRow],
) -> Result<()> {
    for batch in outputs.chunks(BATCH) {
        let mut query = conn.build(
            "INSERT INTO state_outputs (id, account_id, state_version_id, name, sensitive, type,
                detailed_type, sealed_value) VALUES ",
        );
        for (i, row) in batch.iter().enumerate() {
            query = query
                .push(if i == 0 { "(" } else { "), (" })
                .bind(&row.id)
                .push(", ")
                .bind(tenant.account())
                .push(", ")
                .bind(version)
                .push(", ")
                .bind(&row.name)
                .push(", ")
                .bind(row.sensitive)
                .push(", ")
                .bind(&row.kind)
                .push(", ")
                .bind(Json(&row.detailed_type))
                .push(", ")
                .bind(&row.sealed_value);
        }
        query.push(")").finish().execute().await?;
    }
    Ok(())
}

/// The outputs of a version, by name.
pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    version: &StateVersionId,
    page: Option<Page>,
) -> Result<Paged<OutputRow>> {
    let total = conn
        .query("SELECT COUNT(*) FROM state_outputs WHERE account_id = $1 AND state_version_id = $2")
        .bind(tenant.account())
        .bind(version)
        .fetch_scalar()
        .await?;
    let mut query = conn
        .build(
            "SELECT id, name, sensitive, type, detailed_type, sealed_value FROM state_outputs
             WHERE account_id = ",
        )
        .bind(tenant.account())
        .push(" AND state_version_id = ")
        .bind(version)
        .push(" ORDER BY name, id");
    if let Some(page) = page {
        query = query
            .push(" LIMIT ")
            .bind(page.limit())
            .push(" OFFSET ")
            .bind(page.offset());
    }
    Ok(Paged {
        items: query.finish().fetch_all().await?,
        total,
    })
}

pub(super) async fn ids(
    conn: &mut Conn,
    tenant: &Tenant,
    versions: &[StateVersionId],
) -> Result<Vec<(StateVersionId, StateOutputId)>> {
    if versions.is_empty() {
        return Ok(Vec::new());
    }
    conn.build("SELECT state_version_id, id FROM state_outputs WHERE account_id = ")
        .bind(tenant.account())
        .push_in(" AND state_version_id IN (", versions)
        .push(" ORDER BY name, id")
        .finish()
        .fetch_all()
        .await
}

#[derive(sqlx::FromRow)]
struct WithOwner {
    #[sqlx(flatten)]
    row: OutputRow,
    state_version_id: StateVersionId,
    workspace_id: WorkspaceId,
}

/// An output with the version and the workspace it belongs to.
pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &StateOutputId,
) -> Result<Option<(OutputRow, StateVersionId, WorkspaceId)>> {
    let found: Option<WithOwner> = conn
        .query(
            "SELECT o.id, o.name, o.sensitive, o.type, o.detailed_type, o.sealed_value,
                    o.state_version_id, v.workspace_id
             FROM state_outputs o JOIN state_versions v ON v.id = o.state_version_id
             WHERE o.account_id = $1 AND o.id = $2 AND v.status = 'finalized'",
        )
        .bind(tenant.account())
        .bind(id)
        .fetch_optional()
        .await?;
    Ok(found.map(|it| (it.row, it.state_version_id, it.workspace_id)))
}
