//! Removes old records, as far as the account's rule or the installation's allows it.
//!
//! Only the beginning of a chain may go. What was removed is said by a record in the chain itself, with
//! the place and the hash of the last one that is gone: the rest proves where it begins.

use chrono::TimeDelta;
use domain::permission::Permission;
use serde_json::json;

use super::seal::seal_one;
use super::store::{self, Chain};
use crate::app::App;
use crate::audit;
use crate::clock::Timestamp;
use crate::context::{Actor, Context, Tenant};
use crate::iam::{Target, authorize};
use crate::problem::Fault;

/// Records that go in one transaction.
const AT_ONCE: i64 = 2000;
/// The action of the record that says what was removed.
pub(super) const REMOVED: &str = "audit.remove";

/// Removes what is too old in every account. The pass of a reconciler.
///
/// # Errors
/// The database's own.
pub async fn remove_old(app: &App) -> Result<(), Fault> {
    let mut conn = app.db.acquire().await?;
    let chains = store::chains(&mut conn).await?;
    drop(conn);
    for chain in chains {
        let days = chain.retention_days.unwrap_or(app.installation.audit_days);
        if days > 0 {
            let before = app.clock.now() - TimeDelta::days(days.min(100_000));
            while remove_some(app, &chain, before, days).await? {}
        }
    }
    Ok(())
}

/// Whether there may be more.
async fn remove_some(
    app: &App,
    chain: &Chain,
    before: Timestamp,
    days: i64,
) -> Result<bool, Fault> {
    let tenant = Tenant::of_row(&chain.account_id);
    let mut tx = app.db.begin().await?;
    let oldest = store::oldest(&mut tx, &tenant, AT_ONCE).await?;
    // A record that was sealed late keeps those after it.
    let old = oldest.iter().take_while(|it| it.at < before);
    let Some(last) = old.last() else {
        return Ok(false);
    };
    let hash = last.hash.clone().unwrap_or_default();
    let more = oldest.last().is_some_and(|it| it.at < before);
    let ctx = Context::new(
        Actor::system(&chain.account_id, "audit retention"),
        app.clock.clone(),
    );
    let target = Target::new("accounts", &chain.account_id);
    let proof = authorize(&ctx, Permission::AuditRead, target).map_err(|_| Fault::Unreadable {
        what: "the control plane's own permissions",
    })?;
    let detail = json!({ "through": last.sequence, "hash": hash, "retention-days": days });
    let id = audit::record_with_id(&mut tx, &ctx, &proof, REMOVED, detail).await?;
    store::remove(&mut tx, &tenant, (last.sequence, &hash), app.clock.now()).await?;
    if !seal_one(&mut tx, &tenant, id.as_str(), app.clock.now()).await? {
        // Somebody else is at the chain: the next pass goes on.
        return Ok(false);
    }
    tx.commit().await?;
    Ok(more)
}
