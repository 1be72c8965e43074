//! Rows of tag bindings.

use db::Conn;
use domain::ids::{TagBindingId, WorkspaceId};

use super::tags::TagBinding;
use crate::context::Tenant;

#[derive(sqlx::FromRow)]
struct TagRow {
    workspace_id: WorkspaceId,
    id: TagBindingId,
    key: String,
    value: String,
}

/// The bindings of `workspaces`, ordered by key.
pub(super) async fn tags(
    conn: &mut Conn,
    tenant: &Tenant,
    workspaces: &[WorkspaceId],
) -> Result<Vec<(WorkspaceId, TagBinding)>, db::Error> {
    if workspaces.is_empty() {
        return Ok(Vec::new());
    }
    let rows = conn
        .build("SELECT workspace_id, id, key, value FROM tag_bindings WHERE account_id = ")
        .bind(tenant.account())
        .push_in(" AND workspace_id IN (", workspaces)
        .push(" ORDER BY key")
        .finish()
        .fetch_all::<TagRow>()
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            (
                row.workspace_id,
                TagBinding {
                    id: row.id,
                    key: row.key,
                    value: row.value,
                },
            )
        })
        .collect())
}

/// Adds a binding, or gives an existing key its new value.
pub(super) async fn bind_tag(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
    tag: &TagBinding,
) -> Result<(), db::Error> {
    conn.query(
        "INSERT INTO tag_bindings (id, account_id, workspace_id, key, value)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (workspace_id, key) DO UPDATE SET value = excluded.value",
    )
    .bind(&tag.id)
    .bind(tenant.account())
    .bind(workspace)
    .bind(&tag.key)
    .bind(&tag.value)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn unbind_tag(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
    key_or_id: &str,
) -> Result<(), db::Error> {
    conn.query(
        "DELETE FROM tag_bindings WHERE account_id = $1 AND workspace_id = $2
            AND (key = $3 OR id = $3)",
    )
    .bind(tenant.account())
    .bind(workspace)
    .bind(key_or_id)
    .execute()
    .await?;
    Ok(())
}
