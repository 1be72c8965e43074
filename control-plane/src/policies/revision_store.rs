//! Rows of revisions. Every function takes the tenant first, but for those of the reconciler.

use std::collections::BTreeMap;

use db::{Conn, Json};
use domain::ids::{AccountId, BlobId, PolicyGroupId, PolicyRevisionId};
use domain::policy::{PolicySource, RevisionStatus};

use super::model::{CommitInfo, Counts, Findings, Layout, Revision};
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str =
    "SELECT id, account_id, group_id, number, status, source, layout, blob_id, size,
    sha256, commit_info, proposed, error_message, counts, created_by, timestamps, created_at
    FROM policy_revisions ";

#[derive(sqlx::FromRow)]
struct Row {
    id: PolicyRevisionId,
    account_id: AccountId,
    group_id: PolicyGroupId,
    number: i64,
    status: RevisionStatus,
    source: PolicySource,
    #[sqlx(json)]
    layout: Layout,
    blob_id: Option<BlobId>,
    size: Option<i64>,
    sha256: Option<String>,
    #[sqlx(json(nullable))]
    commit_info: Option<CommitInfo>,
    proposed: bool,
    error_message: Option<String>,
    #[sqlx(json(nullable))]
    counts: Option<Counts>,
    created_by: String,
    #[sqlx(json)]
    timestamps: BTreeMap<String, Timestamp>,
    created_at: Timestamp,
}

impl From<Row> for Revision {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            account_id: row.account_id,
            group_id: row.group_id,
            number: row.number,
            status: row.status,
            source: row.source,
            layout: row.layout,
            blob_id: row.blob_id,
            size: row.size,
            sha256: row.sha256,
            commit: row.commit_info,
            proposed: row.proposed,
            error_message: row.error_message,
            counts: row.counts,
            created_by: row.created_by,
            timestamps: row.timestamps,
            created_at: row.created_at,
        }
    }
}

pub(super) async fn insert(conn: &mut Conn, tenant: &Tenant, revision: &Revision) -> Result<()> {
    conn.query(
        "INSERT INTO policy_revisions (id, account_id, group_id, number, status, source, layout,
            blob_id, size, sha256, commit_info, proposed, created_by, timestamps, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(&revision.id)
    .bind(tenant.account())
    .bind(&revision.group_id)
    .bind(revision.number)
    .bind(revision.status)
    .bind(revision.source)
    .bind(Json(&revision.layout))
    .bind(&revision.blob_id)
    .bind(revision.size)
    .bind(&revision.sha256)
    .bind(revision.commit.as_ref().map(Json))
    .bind(revision.proposed)
    .bind(&revision.created_by)
    .bind(Json(&revision.timestamps))
    .bind(revision.created_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PolicyRevisionId,
) -> Result<Option<Revision>> {
    let row = conn
        .build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND id = ")
        .bind(id)
        .finish()
        .fetch_optional::<Row>()
        .await?;
    Ok(row.map(Revision::from))
}

/// The proposals of a group whose files a runner is to bring.
pub(super) async fn proposed_in_fetch(
    conn: &mut Conn,
    tenant: &Tenant,
    group: &PolicyGroupId,
) -> Result<Vec<PolicyRevisionId>> {
    #[derive(sqlx::FromRow)]
    struct Found {
        id: PolicyRevisionId,
    }
    let found: Vec<Found> = conn
        .query(
            "SELECT id FROM policy_revisions
             WHERE account_id = $1 AND group_id = $2 AND proposed AND status = 'fetching'",
        )
        .bind(tenant.account())
        .bind(group)
        .fetch_all()
        .await?;
    Ok(found.into_iter().map(|it| it.id).collect())
}

/// What was found in a revision; none before its check.
pub(super) async fn findings(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &PolicyRevisionId,
) -> Result<Option<Findings>> {
    #[derive(sqlx::FromRow)]
    struct Found {
        #[sqlx(json(nullable))]
        findings: Option<Findings>,
    }
    let row: Option<Found> = conn
        .query("SELECT findings FROM policy_revisions WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .fetch_optional()
        .await?;
    Ok(row.and_then(|row| row.findings))
}

/// Whose revision this is, for holders of a signed URL.
pub(super) async fn account_of(
    conn: &mut Conn,
    id: &PolicyRevisionId,
) -> Result<Option<AccountId>> {
    let row: Option<(AccountId,)> = conn
        .query("SELECT account_id FROM policy_revisions WHERE id = $1")
        .bind(id)
        .fetch_optional()
        .await?;
    Ok(row.map(|(account,)| account))
}

/// A group's revisions, the newest first.
pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    group: &PolicyGroupId,
    page: Page,
) -> Result<Paged<Revision>> {
    let total = conn
        .query("SELECT COUNT(*) FROM policy_revisions WHERE account_id = $1 AND group_id = $2")
        .bind(tenant.account())
        .bind(group)
        .fetch_scalar()
        .await?;
    let rows = conn
        .build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND group_id = ")
        .bind(group)
        .push(" ORDER BY number DESC LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all::<Row>()
        .await?;
    Ok(Paged {
        items: rows.into_iter().map(Revision::from).collect(),
        total,
    })
}

/// Writes how far a revision is, if it is still at `from`.
pub(super) async fn save(
    conn: &mut Conn,
    tenant: &Tenant,
    revision: &Revision,
    from: RevisionStatus,
    findings: Option<&Findings>,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE policy_revisions SET number = $3, status = $4, blob_id = $5, size = $6,
                sha256 = $7, commit_info = $8, error_message = $9, counts = $10, findings = $11,
                timestamps = $12
             WHERE account_id = $1 AND id = $2 AND status = $13",
        )
        .bind(tenant.account())
        .bind(&revision.id)
        .bind(revision.number)
        .bind(revision.status)
        .bind(&revision.blob_id)
        .bind(revision.size)
        .bind(&revision.sha256)
        .bind(revision.commit.as_ref().map(Json))
        .bind(&revision.error_message)
        .bind(revision.counts.as_ref().map(Json))
        .bind(findings.map(Json))
        .bind(Json(&revision.timestamps))
        .bind(from)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Deletes a group's revisions with numbers up to `number`, but not what it decides by.
pub(super) async fn delete_old(
    conn: &mut Conn,
    tenant: &Tenant,
    group: &PolicyGroupId,
    number: i64,
) -> Result<()> {
    conn.query(
        "DELETE FROM policy_revisions WHERE account_id = $1 AND group_id = $2 AND number <= $3
            AND id NOT IN (SELECT good_revision_id FROM policy_groups
                WHERE id = $2 AND good_revision_id IS NOT NULL)
            AND id NOT IN (SELECT newest_revision_id FROM policy_groups
                WHERE id = $2 AND newest_revision_id IS NOT NULL)",
    )
    .bind(tenant.account())
    .bind(group)
    .bind(number)
    .execute()
    .await?;
    Ok(())
}

/// The revisions of all accounts that wait for their check, the oldest first.
pub(super) async fn to_check(conn: &mut Conn) -> Result<Vec<Revision>> {
    let rows = conn
        .build(SELECT)
        .push("WHERE status = 'checking' ORDER BY created_at, id LIMIT 100")
        .finish()
        .fetch_all::<Row>()
        .await?;
    Ok(rows.into_iter().map(Revision::from).collect())
}
