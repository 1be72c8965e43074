//! Rows of chains, and the places of records in them.

use db::{Conn, Tx};
use domain::ids::AccountId;

use super::entry::{Entry, genesis};
use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

/// The columns of an [`Entry`].
pub(in crate::audit) const SELECT: &str = "SELECT id, account_id, at, actor_kind, actor_id,
    actor_name, token_last_six, action, target_kind, target_id, environment_id, workspace_id, outcome,
    source_address, request_id, detail, before_digest, after_digest, sequence, hash
    FROM audit_records ";

/// The chain of one account.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Chain {
    pub account_id: AccountId,
    /// Of the last record that is sealed; 0 before the first.
    pub sequence: i64,
    pub hash: String,
    pub sealed_at: Option<Timestamp>,
    /// Of the last record that retention has removed.
    pub removed_sequence: i64,
    pub removed_hash: String,
    pub removed_at: Option<Timestamp>,
    pub retention_days: Option<i64>,
}

impl Chain {
    fn new(account: &AccountId) -> Self {
        let genesis = genesis(account);
        Self {
            account_id: account.clone(),
            sequence: 0,
            hash: genesis.clone(),
            sealed_at: None,
            removed_sequence: 0,
            removed_hash: genesis,
            removed_at: None,
            retention_days: None,
        }
    }
}

/// The chain of an account, also when nothing is in it yet.
pub(in crate::audit) async fn chain(conn: &mut Conn, tenant: &Tenant) -> Result<Chain> {
    let found = conn
        .query(
            "SELECT account_id, sequence, hash, sealed_at, removed_sequence, removed_hash, removed_at,
                retention_days FROM audit_chains WHERE account_id = $1",
        )
        .bind(tenant.account())
        .fetch_optional()
        .await?;
    Ok(found.unwrap_or_else(|| Chain::new(tenant.account())))
}

/// Makes the row of an account's chain, unless it is there.
pub(in crate::audit) async fn ensure(conn: &mut Conn, tenant: &Tenant) -> Result<()> {
    let genesis = genesis(tenant.account());
    conn.query(
        "INSERT INTO audit_chains (account_id, sequence, hash, removed_sequence, removed_hash)
         VALUES ($1, 0, $2, 0, $2) ON CONFLICT (account_id) DO NOTHING",
    )
    .bind(tenant.account())
    .bind(genesis)
    .execute()
    .await?;
    Ok(())
}

/// Accounts that have records without a place.
pub(super) async fn unsealed_accounts(conn: &mut Conn, limit: i64) -> Result<Vec<(AccountId,)>> {
    conn.query("SELECT DISTINCT account_id FROM audit_records WHERE sequence IS NULL LIMIT $1")
        .bind(limit)
        .fetch_all()
        .await
}

/// Records without a place, in the order in which they get one.
pub(super) async fn unsealed(conn: &mut Conn, tenant: &Tenant, limit: i64) -> Result<Vec<Entry>> {
    conn.build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND sequence IS NULL ORDER BY at, id LIMIT ")
        .bind(limit)
        .finish()
        .fetch_all()
        .await
}

/// Moves the end of the chain, unless somebody else has meanwhile.
pub(super) async fn advance(
    tx: &mut Tx,
    chain: &Chain,
    to: (i64, &str),
    now: Timestamp,
) -> Result<bool> {
    let moved = tx
        .query(
            "UPDATE audit_chains SET sequence = $3, hash = $4, sealed_at = $5
             WHERE account_id = $1 AND sequence = $2",
        )
        .bind(&chain.account_id)
        .bind(chain.sequence)
        .bind(to.0)
        .bind(to.1)
        .bind(now)
        .execute()
        .await?;
    Ok(moved == 1)
}

/// Gives records their places: id, sequence and hash of each. Tells how many had none.
pub(super) async fn place(
    tx: &mut Tx,
    tenant: &Tenant,
    places: &[(String, i64, String)],
) -> Result<u64> {
    let mut query = tx.build(
        "UPDATE audit_records SET sequence = places.column2, hash = places.column3 FROM (VALUES ",
    );
    for (at, (id, sequence, hash)) in places.iter().enumerate() {
        query = query
            .push(if at == 0 { "(" } else { ", (" })
            .bind(id)
            .push(", ")
            .bind(*sequence)
            .push(", ")
            .bind(hash)
            .push(")");
    }
    query
        .push(
            ") AS places WHERE audit_records.id = places.column1
                AND audit_records.sequence IS NULL AND audit_records.account_id = ",
        )
        .bind(tenant.account())
        .finish()
        .execute()
        .await
}

/// The chains of all accounts.
pub(super) async fn chains(conn: &mut Conn) -> Result<Vec<Chain>> {
    conn.query(
        "SELECT account_id, sequence, hash, sealed_at, removed_sequence, removed_hash, removed_at,
            retention_days FROM audit_chains ORDER BY account_id",
    )
    .fetch_all()
    .await
}

/// What retention looks at of a record.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Age {
    pub sequence: i64,
    pub hash: Option<String>,
    pub at: Timestamp,
}

/// The first records of a chain.
pub(super) async fn oldest(conn: &mut Conn, tenant: &Tenant, limit: i64) -> Result<Vec<Age>> {
    conn.query(
        "SELECT sequence, hash, at FROM audit_records
         WHERE account_id = $1 AND sequence IS NOT NULL ORDER BY sequence LIMIT $2",
    )
    .bind(tenant.account())
    .bind(limit)
    .fetch_all()
    .await
}

/// Removes the beginning of a chain up to `last`, and notes it.
pub(super) async fn remove(
    tx: &mut Tx,
    tenant: &Tenant,
    last: (i64, &str),
    now: Timestamp,
) -> Result<u64> {
    tx.query(
        "UPDATE audit_chains SET removed_sequence = $2, removed_hash = $3, removed_at = $4
         WHERE account_id = $1",
    )
    .bind(tenant.account())
    .bind(last.0)
    .bind(last.1)
    .bind(now)
    .execute()
    .await?;
    tx.query("DELETE FROM audit_records WHERE account_id = $1 AND sequence <= $2")
        .bind(tenant.account())
        .bind(last.0)
        .execute()
        .await
}

/// Sets the rule of one account.
pub(in crate::audit) async fn set_retention(
    conn: &mut Conn,
    tenant: &Tenant,
    days: Option<i64>,
) -> Result<()> {
    conn.query("UPDATE audit_chains SET retention_days = $2 WHERE account_id = $1")
        .bind(tenant.account())
        .bind(days)
        .execute()
        .await?;
    Ok(())
}

/// The record with this id, if it has no place yet.
pub(super) async fn unsealed_one(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &str,
) -> Result<Option<Entry>> {
    conn.build(SELECT)
        .push("WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND sequence IS NULL AND id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}
