//! Rows of state versions.

use db::{Conn, Json};
use domain::ids::{BlobId, JobId, RunId, StateVersionId, WorkspaceId};
use domain::job::JobStatus;
use domain::workspace::StateStatus;

use super::model::{Filter, StateVersion};
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT v.id, v.account_id, v.workspace_id, v.number, v.status, v.serial,
        v.lineage, v.md5, v.sha256, v.size, v.blob_id, v.json_blob_id, v.terraform_version,
        v.intermediate, v.run_id, v.rollback_of, v.quarantine_reason, v.summary, v.forced,
        v.created_by_kind, v.created_by_id, v.created_at
    FROM state_versions v ";

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    version: &StateVersion,
    sealed_outputs: Option<&[u8]>,
) -> Result<()> {
    conn.query(
        "INSERT INTO state_versions (id, account_id, workspace_id, number, status, serial, lineage,
            md5, sha256, size, blob_id, json_blob_id, terraform_version, intermediate, run_id,
            rollback_of, quarantine_reason, summary, forced, sealed_outputs, created_by_kind,
            created_by_id, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, $21, $22, $23)",
    )
    .bind(&version.id)
    .bind(tenant.account())
    .bind(&version.workspace_id)
    .bind(version.number)
    .bind(version.status)
    .bind(version.serial)
    .bind(&version.lineage)
    .bind(&version.md5)
    .bind(&version.sha256)
    .bind(version.size)
    .bind(&version.blob_id)
    .bind(&version.json_blob_id)
    .bind(&version.terraform_version)
    .bind(version.intermediate)
    .bind(&version.run_id)
    .bind(&version.rollback_of)
    .bind(&version.quarantine_reason)
    .bind(version.summary.as_ref().map(Json))
    .bind(version.forced)
    .bind(sealed_outputs.map(<[u8]>::to_vec))
    .bind(version.created_by_kind)
    .bind(&version.created_by_id)
    .bind(version.created_at)
    .execute()
    .await?;
    Ok(())
}

/// Writes what has become of a version, if it still has the status `from`. The announced outputs are
/// dropped: they have served.
pub(super) async fn settle(
    conn: &mut Conn,
    tenant: &Tenant,
    version: &StateVersion,
    from: StateStatus,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE state_versions SET number = $3, status = $4, serial = $5, lineage = $6,
                md5 = $7, sha256 = $8, size = $9, blob_id = $10, terraform_version = $11,
                quarantine_reason = $12, summary = $13, sealed_outputs = NULL
             WHERE account_id = $1 AND id = $2 AND status = $14",
        )
        .bind(tenant.account())
        .bind(&version.id)
        .bind(version.number)
        .bind(version.status)
        .bind(version.serial)
        .bind(&version.lineage)
        .bind(&version.md5)
        .bind(&version.sha256)
        .bind(version.size)
        .bind(&version.blob_id)
        .bind(&version.terraform_version)
        .bind(&version.quarantine_reason)
        .bind(version.summary.as_ref().map(Json))
        .bind(from)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Gives a version its JSON form, unless it has one.
pub(super) async fn set_json(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &StateVersionId,
    blob: &BlobId,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE state_versions SET json_blob_id = $3
             WHERE account_id = $1 AND id = $2 AND json_blob_id IS NULL
                AND status IN ('pending', 'finalized')",
        )
        .bind(tenant.account())
        .bind(id)
        .bind(blob)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &StateVersionId,
) -> Result<Option<StateVersion>> {
    conn.build(SELECT)
        .push("WHERE v.account_id = ")
        .bind(tenant.account())
        .push(" AND v.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

/// A version of whichever tenant, for the bearer of a signed URL.
pub(super) async fn find_signed(
    conn: &mut Conn,
    id: &StateVersionId,
) -> Result<Option<StateVersion>> {
    conn.build(SELECT)
        .push("WHERE v.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

/// The outputs as the client announced them, sealed.
pub(super) async fn sealed_outputs(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &StateVersionId,
) -> Result<Option<Vec<u8>>> {
    conn.query("SELECT sealed_outputs FROM state_versions WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .fetch_scalar()
        .await
}

/// A workspace's versions, newest first.
pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
    filter: &Filter,
    page: Page,
) -> Result<Paged<StateVersion>> {
    let total = filtered(
        conn,
        "SELECT COUNT(*) FROM state_versions v ",
        tenant,
        workspace,
        filter,
    )
    .finish()
    .fetch_scalar()
    .await?;
    let items = filtered(conn, SELECT, tenant, workspace, filter)
        .push(" ORDER BY v.number DESC LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    Ok(Paged { items, total })
}

fn filtered<'c>(
    conn: &'c mut Conn,
    select: &'static str,
    tenant: &Tenant,
    workspace: &WorkspaceId,
    filter: &Filter,
) -> db::Builder<'c> {
    conn.build(select)
        .push("WHERE v.account_id = ")
        .bind(tenant.account())
        .push(" AND v.workspace_id = ")
        .bind(workspace)
        .push_if(" AND v.status = ", filter.status)
        .push_if(" AND v.run_id = ", filter.run.as_ref())
}

/// A version of a run with this very content.
pub(super) async fn same_of_run(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
    status: StateStatus,
    serial: i64,
    md5: &str,
) -> Result<Option<StateVersion>> {
    conn.build(SELECT)
        .push("WHERE v.account_id = ")
        .bind(tenant.account())
        .push(" AND v.run_id = ")
        .bind(run)
        .push(" AND v.status = ")
        .bind(status)
        .push(" AND v.serial = ")
        .bind(serial)
        .push(" AND v.md5 = ")
        .bind(md5)
        .push(" ORDER BY v.number DESC LIMIT 1")
        .finish()
        .fetch_optional()
        .await
}

/// A pending announcement of the same state by the same actor.
pub(super) async fn pending_twin(
    conn: &mut Conn,
    tenant: &Tenant,
    version: &StateVersion,
) -> Result<Option<StateVersion>> {
    conn.build(SELECT)
        .push("WHERE v.account_id = ")
        .bind(tenant.account())
        .push(" AND v.workspace_id = ")
        .bind(&version.workspace_id)
        .push(" AND v.status = 'pending' AND v.serial = ")
        .bind(version.serial)
        .push(" AND v.md5 = ")
        .bind(&version.md5)
        .push(" AND v.lineage = ")
        .bind(&version.lineage)
        .push(" AND v.forced = ")
        .bind(version.forced)
        .push(" AND v.created_by_id = ")
        .bind(&version.created_by_id)
        .finish()
        .fetch_optional()
        .await
}

/// Ends what was announced and has not come: a newer announcement takes its place.
pub(super) async fn discard_pending(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
) -> Result<u64> {
    conn.query(
        "UPDATE state_versions SET status = 'discarded', sealed_outputs = NULL
         WHERE account_id = $1 AND workspace_id = $2 AND status = 'pending'",
    )
    .bind(tenant.account())
    .bind(workspace)
    .execute()
    .await
}

/// Ends what was announced before `cutoff` and has not come, in all accounts.
pub(super) async fn discard_older(conn: &mut Conn, cutoff: Timestamp) -> Result<u64> {
    conn.query(
        "UPDATE state_versions SET status = 'discarded', sealed_outputs = NULL
         WHERE status = 'pending' AND created_at < $1",
    )
    .bind(cutoff)
    .execute()
    .await
}

/// The ids of a run's versions that were accepted, oldest first.
pub(super) async fn ids_of_run(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
) -> Result<Vec<StateVersionId>> {
    let rows: Vec<(StateVersionId,)> = conn
        .query(
            "SELECT id FROM state_versions
             WHERE account_id = $1 AND run_id = $2 AND status = 'finalized'
             ORDER BY number LIMIT 1000",
        )
        .bind(tenant.account())
        .bind(run)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// What of a job decides whether its states are accepted.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Lease {
    pub run_id: RunId,
    pub workspace_id: WorkspaceId,
    pub status: JobStatus,
    pub epoch: i64,
    pub recovery_until: Option<Timestamp>,
    /// Nothing that its runner says becomes current without a person.
    pub runner_revoked: bool,
}

/// A job's lease, kept as it is until the transaction ends.
pub(super) async fn lock_lease(
    tx: &mut db::Tx,
    tenant: &Tenant,
    job: &JobId,
) -> Result<Option<Lease>> {
    tx.lock_row("jobs", job.as_str()).await?;
    tx.query(
        "SELECT run_id, workspace_id, status, epoch, recovery_until,
            EXISTS (SELECT 1 FROM runners r
                WHERE r.id = jobs.runner_id AND r.revoked_at IS NOT NULL) AS runner_revoked
         FROM jobs WHERE account_id = $1 AND id = $2",
    )
    .bind(tenant.account())
    .bind(job)
    .fetch_optional()
    .await
}

/// Whether the run's last apply ended without a known state; nothing when there is no such run in
/// the workspace.
pub(super) async fn run_is_uncertain(
    conn: &mut Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
    run: &RunId,
) -> Result<Option<bool>> {
    let row: Option<(bool,)> = conn
        .query(
            "SELECT state_uncertain FROM runs
             WHERE account_id = $1 AND workspace_id = $2 AND id = $3",
        )
        .bind(tenant.account())
        .bind(workspace)
        .bind(run)
        .fetch_optional()
        .await?;
    Ok(row.map(|(uncertain,)| uncertain))
}
