//! Rows of fetches.

use db::{Conn, Json};
use domain::ids::{AccountId, BlobId, FetchId, RunnerPoolId};
use domain::job::{FetchOwnerKind, FetchStatus};

use super::model::{Fetch, Fetched, Owner};
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::workspaces::GitSource;

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT id, account_id, owner_kind, owner_id, pool_id, git, commit_id, status,
    losses, fetched, blob_id, error_message, created_at, ended_at FROM fetches ";

#[derive(sqlx::FromRow)]
struct Row {
    id: FetchId,
    account_id: AccountId,
    owner_kind: FetchOwnerKind,
    owner_id: String,
    pool_id: RunnerPoolId,
    #[sqlx(json)]
    git: GitSource,
    commit_id: Option<String>,
    status: FetchStatus,
    losses: i64,
    #[sqlx(json(nullable))]
    fetched: Option<Fetched>,
    blob_id: Option<BlobId>,
    error_message: Option<String>,
    created_at: Timestamp,
    ended_at: Option<Timestamp>,
}

impl From<Row> for Fetch {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            account_id: row.account_id,
            owner: Owner {
                kind: row.owner_kind,
                id: row.owner_id,
            },
            pool_id: row.pool_id,
            git: row.git,
            commit: row.commit_id,
            status: row.status,
            losses: row.losses,
            fetched: row.fetched,
            archive: row.blob_id,
            error: row.error_message,
            created_at: row.created_at,
            ended_at: row.ended_at,
        }
    }
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    fetch: &Fetch,
    sealed_token: Option<Vec<u8>>,
) -> Result<()> {
    conn.query(
        "INSERT INTO fetches (id, account_id, owner_kind, owner_id, pool_id, git, commit_id,
            sealed_token, status, losses, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&fetch.id)
    .bind(tenant.account())
    .bind(fetch.owner.kind)
    .bind(&fetch.owner.id)
    .bind(&fetch.pool_id)
    .bind(Json(&fetch.git))
    .bind(&fetch.commit)
    .bind(sealed_token)
    .bind(fetch.status)
    .bind(fetch.losses)
    .bind(fetch.created_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn find(conn: &mut Conn, tenant: &Tenant, id: &FetchId) -> Result<Option<Fetch>> {
    let row: Option<Row> = conn
        .build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await?;
    Ok(row.map(Fetch::from))
}

/// An owner's newest fetch.
pub(super) async fn latest(
    conn: &mut Conn,
    tenant: &Tenant,
    owner: &Owner,
) -> Result<Option<Fetch>> {
    let row: Option<Row> = conn
        .build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND owner_kind = ")
        .bind(owner.kind)
        .push(" AND owner_id = ")
        .bind(&owner.id)
        .push(" ORDER BY created_at DESC, id LIMIT 1")
        .finish()
        .fetch_optional()
        .await?;
    Ok(row.map(Fetch::from))
}

/// Fetches that have no job, of all accounts, the oldest first.
pub(super) async fn without_job(conn: &mut Conn, limit: i64) -> Result<Vec<Fetch>> {
    let rows: Vec<Row> = conn
        .build(SELECT)
        .push(
            "WHERE status = 'waiting' AND NOT EXISTS (SELECT 1 FROM jobs j
                WHERE j.fetch_id = fetches.id
                    AND j.status IN ('queued', 'offered', 'leased', 'out-of-contact'))
             ORDER BY created_at, id LIMIT ",
        )
        .bind(limit)
        .finish()
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(Fetch::from).collect())
}

pub(super) async fn sealed_token(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &FetchId,
) -> Result<Option<Vec<u8>>> {
    let row: Option<(Option<Vec<u8>>,)> = conn
        .query("SELECT sealed_token FROM fetches WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .fetch_optional()
        .await?;
    Ok(row.and_then(|(sealed,)| sealed))
}

/// Moves a fetch on. One that has ended keeps no token.
pub(super) async fn save(conn: &mut Conn, tenant: &Tenant, fetch: &Fetch) -> Result<()> {
    conn.query(
        "UPDATE fetches SET status = $3, losses = $4, fetched = $5, blob_id = $6,
            error_message = $7, ended_at = $8,
            sealed_token = CASE WHEN $9 THEN NULL ELSE sealed_token END
         WHERE account_id = $1 AND id = $2",
    )
    .bind(tenant.account())
    .bind(&fetch.id)
    .bind(fetch.status)
    .bind(fetch.losses)
    .bind(fetch.fetched.as_ref().map(Json))
    .bind(&fetch.archive)
    .bind(&fetch.error)
    .bind(fetch.ended_at)
    .bind(fetch.is_over())
    .execute()
    .await?;
    Ok(())
}

/// Ends an owner's fetches that have not ended, and gives up what they brought.
pub(super) async fn cancel(
    conn: &mut Conn,
    tenant: &Tenant,
    owner: &Owner,
    now: Timestamp,
) -> Result<u64> {
    conn.query(
        "UPDATE fetches SET status = 'canceled', ended_at = $4, sealed_token = NULL, blob_id = NULL
         WHERE account_id = $1 AND owner_kind = $2 AND owner_id = $3
            AND status IN ('waiting', 'fetching')",
    )
    .bind(tenant.account())
    .bind(owner.kind)
    .bind(&owner.id)
    .bind(now)
    .execute()
    .await
}
