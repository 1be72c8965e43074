//! How often what estimates are made with has changed, for an account, an environment or a workspace.
//!
//! The numbers only rise, so their sum says whether any of them has changed. Decided against comparing
//! what lies in the tables: the keeper of states asks for all workspaces at once.

use db::{Conn, Tx};
use domain::ids::{EnvironmentId, WorkspaceId};

use crate::context::Tenant;

/// Says, inside the transaction that changes it, that prices or usage of a subject have changed.
pub(super) async fn raise(tx: &mut Tx, tenant: &Tenant, subject: &str) -> Result<(), db::Error> {
    tx.query(
        "INSERT INTO cost_revisions (account_id, subject_id, revision) VALUES ($1, $2, 1)
         ON CONFLICT (account_id, subject_id)
            DO UPDATE SET revision = cost_revisions.revision + 1",
    )
    .bind(tenant.account())
    .bind(subject)
    .execute()
    .await?;
    Ok(())
}

/// Of all that counts for a workspace.
pub(super) async fn of_workspace(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    workspace: &WorkspaceId,
) -> Result<i64, db::Error> {
    conn.query(
        "SELECT CAST(COALESCE(SUM(revision), 0) AS BIGINT) FROM cost_revisions
         WHERE account_id = $1 AND subject_id IN ($2, $3, $4)",
    )
    .bind(tenant.account())
    .bind(tenant.account())
    .bind(environment)
    .bind(workspace)
    .fetch_scalar()
    .await
}
