//! Use cases of a workspace's tags.

use domain::ids::WorkspaceId;
use domain::permission::Permission;
use serde_json::json;

use super::error::WorkspaceError;
use super::service::load_locked;
use super::tag_store as store;
use super::tags::TagBinding;
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};

type Result<T> = std::result::Result<T, WorkspaceError>;

/// The tags of each of `workspaces`.
pub async fn tags_of(
    app: &App,
    ctx: &Context,
    workspaces: &[WorkspaceId],
) -> Result<Vec<(WorkspaceId, TagBinding)>> {
    let mut conn = app.db.acquire().await?;
    Ok(store::tags(&mut conn, &ctx.tenant(), workspaces).await?)
}

/// The tags of one workspace, for work of the control plane itself.
///
/// # Errors
/// The database's own.
pub async fn find_tags(
    conn: &mut db::Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
) -> std::result::Result<Vec<TagBinding>, db::Error> {
    let found = store::tags(conn, tenant, std::slice::from_ref(workspace)).await?;
    Ok(found.into_iter().map(|(_, tag)| tag).collect())
}

/// What to do with a list of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagChange {
    Add,
    Remove,
    /// Exactly these afterwards.
    Replace,
}

pub async fn change_tags(
    app: &App,
    ctx: &Context,
    id: &WorkspaceId,
    change: TagChange,
    tags: &[TagBinding],
) -> Result<Vec<TagBinding>> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (_, proof) = load_locked(&mut tx, ctx, id, Permission::WorkspacesUpdate).await?;
    let ids = std::slice::from_ref(id);
    if change == TagChange::Replace {
        for (_, old) in store::tags(&mut tx, &tenant, ids).await? {
            if !tags.iter().any(|tag| tag.key == old.key) {
                store::unbind_tag(&mut tx, &tenant, id, &old.key).await?;
            }
        }
    }
    for tag in tags {
        match change {
            TagChange::Add | TagChange::Replace => {
                store::bind_tag(&mut tx, &tenant, id, tag).await?;
            }
            TagChange::Remove => store::unbind_tag(&mut tx, &tenant, id, &tag.key).await?,
        }
    }
    let keys: Vec<_> = tags.iter().map(|tag| &tag.key).collect();
    let detail = json!({ "change": format!("{change:?}"), "keys": keys });
    audit::record(&mut tx, ctx, &proof, "workspace.tags", detail).await?;
    let all = store::tags(&mut tx, &tenant, ids).await?;
    tx.commit().await?;
    Ok(all.into_iter().map(|(_, tag)| tag).collect())
}
