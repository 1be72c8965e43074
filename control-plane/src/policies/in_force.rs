//! What the gate asks: which groups decide about a run, and what they are made of.

use domain::ids::{PolicyGroupId, PolicyRevisionId};
use domain::policy::PolicyStage;
use policy::{Dialect, GroupKind, GroupSource};

use super::error::PolicyError;
use super::{binding_store, contents, documents, parameters, revision_store};
use crate::app::App;
use crate::context::Tenant;
use crate::workspaces::Workspace;

/// A group that decides about a workspace's runs, with the revision that it decides by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    pub group_id: PolicyGroupId,
    pub name: String,
    pub kind: GroupKind,
    pub dialect: Dialect,
    /// Whether what is `mandatory` can be overridden.
    pub overridable: bool,
    pub revision_id: PolicyRevisionId,
}

/// The groups that decide about the runs of `workspace` at `stage`, by name. A group that never had a
/// good revision decides nothing.
///
/// # Errors
/// The database's own.
pub async fn in_force(
    conn: &mut db::Conn,
    tenant: &Tenant,
    workspace: &Workspace,
    stage: PolicyStage,
) -> Result<Vec<InForce>, db::Error> {
    binding_store::in_force(conn, tenant, workspace, stage).await
}

/// Everything that a revision's policies are compiled from: its files as they were checked, with the
/// group's parameters and the account's data documents as they are now.
///
/// Takes no connection, because it reads from the object store: hold none that writes meanwhile.
///
/// # Errors
/// [`PolicyError::NotFound`], or a fault when its archive can't be read.
pub async fn source_of(
    app: &App,
    tenant: &Tenant,
    revision: &PolicyRevisionId,
) -> Result<GroupSource, PolicyError> {
    let mut conn = app.db.acquire().await?;
    let revision = revision_store::find(&mut conn, tenant, revision)
        .await?
        .ok_or(PolicyError::NotFound)?;
    let parameters = parameters::values(app, &mut conn, tenant, &revision.group_id).await?;
    let account = documents::all(app, &mut conn, tenant).await?;
    drop(conn);
    let blob = revision.blob_id.as_ref().ok_or(PolicyError::NotFound)?;
    let files = contents::read(app, tenant, blob).await?;
    let (files, common) = contents::arrange(&files, &revision.layout);
    Ok(GroupSource {
        files,
        common,
        dialect: revision.layout.dialect,
        parameters,
        account,
    })
}
