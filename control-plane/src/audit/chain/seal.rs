//! Gives new records their places in the chain of their account.
//!
//! Any number of replicas may be at it: the end of a chain is moved by one conditional update, and
//! who comes second writes nothing.

use super::entry::Entry;
use super::store::{self, Chain};
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::problem::Fault;

/// Records that get their places in one transaction: short enough that nobody waits for it.
const AT_ONCE: i64 = 200;
/// Accounts that one pass looks at.
const ACCOUNTS: i64 = 1000;

/// Seals what is new in every account. The pass of a reconciler.
///
/// # Errors
/// The database's own. One account's does not keep the others waiting.
pub async fn seal_new(app: &App) -> Result<(), Fault> {
    let mut conn = app.db.acquire().await?;
    let accounts = store::unsealed_accounts(&mut conn, ACCOUNTS).await?;
    drop(conn);
    let mut outcome = Ok(());
    for (account,) in accounts {
        if let Err(error) = seal_account(app, &Tenant::of_row(&account)).await {
            outcome = Err(error);
        }
    }
    outcome
}

/// Seals what is new in one account, until nothing is left.
///
/// # Errors
/// The database's own.
pub(in crate::audit) async fn seal_account(app: &App, tenant: &Tenant) -> Result<(), Fault> {
    while seal_some(app, tenant).await? >= AT_ONCE {}
    Ok(())
}

async fn seal_some(app: &App, tenant: &Tenant) -> Result<i64, Fault> {
    let mut tx = app.db.begin().await?;
    store::ensure(&mut tx, tenant).await?;
    let chain = store::chain(&mut tx, tenant).await?;
    let new = store::unsealed(&mut tx, tenant, AT_ONCE).await?;
    let count = i64::try_from(new.len()).unwrap_or(i64::MAX);
    if append(&mut tx, tenant, chain, &new, app.clock.now()).await? {
        tx.commit().await?;
    }
    Ok(count)
}

/// Seals one record in the transaction that wrote it. False: somebody else has moved the chain, and
/// the transaction must not be committed.
pub(super) async fn seal_one(
    tx: &mut db::Tx,
    tenant: &Tenant,
    id: &str,
    now: Timestamp,
) -> Result<bool, Fault> {
    let chain = store::chain(tx, tenant).await?;
    let new: Vec<Entry> = store::unsealed_one(tx, tenant, id)
        .await?
        .into_iter()
        .collect();
    append(tx, tenant, chain, &new, now).await
}

/// Puts records at the end of a chain. False: nothing is to be committed.
async fn append(
    tx: &mut db::Tx,
    tenant: &Tenant,
    chain: Chain,
    new: &[Entry],
    now: Timestamp,
) -> Result<bool, Fault> {
    if new.is_empty() {
        return Ok(false);
    }
    let (mut sequence, mut hash) = (chain.sequence, chain.hash.clone());
    let mut places = Vec::with_capacity(new.len());
    for entry in new {
        sequence += 1;
        hash = entry.hash_at(sequence, &hash)?;
        places.push((entry.id.clone(), sequence, hash.clone()));
    }
    if !store::advance(tx, &chain, (sequence, &hash), now).await? {
        return Ok(false);
    }
    let placed = store::place(tx, tenant, &places).await?;
    Ok(placed == places.len() as u64)
}
