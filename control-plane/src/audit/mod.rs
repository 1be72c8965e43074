//! The audit log: who did what, in the same transaction as the change; a denial in one of its own.
//!
//! A record asks for the proof that [`crate::iam::authorize`] gave, so what was not authorised can't
//! be recorded as done.

pub mod api;
mod chain;
mod error;
mod records;
mod store;
mod streams;
#[cfg(test)]
mod tests;

use domain::ids::AuditId;
use serde::Serialize;
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::context::Context;
use crate::iam::{Authorized, Denied, Target};
use crate::problem::Fault;

pub use chain::{Proof, VerifyError, remove_old, seal_new, verify};
pub use error::AuditError;
pub use streams::deliver_due;

/// One line of the audit log.
#[derive(Debug)]
pub struct Record {
    pub id: AuditId,
    pub at: Timestamp,
    pub action: String,
    pub target: Target,
    pub outcome: &'static str,
    pub detail: Value,
    /// SHA-256 of what was changed, before and after.
    pub digests: Digests,
}

/// What was changed, in so many bytes that two of them can be compared.
#[derive(Debug, Default)]
pub struct Digests {
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Digests {
    /// Of something as it was and as it is now; it must hold no secrets, because short ones can be
    /// guessed from a digest.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    pub fn of(before: &impl Serialize, after: &impl Serialize) -> Result<Self, Fault> {
        Ok(Self {
            before: Some(chain::digest_of(before)?),
            after: Some(chain::digest_of(after)?),
        })
    }
}

/// Records a change, inside its transaction. `action` is `noun.verb`; `detail` is an object without
/// secrets.
///
/// # Errors
/// The database's own.
pub async fn record(
    conn: &mut db::Conn,
    ctx: &Context,
    proof: &Authorized,
    action: &str,
    detail: Value,
) -> Result<(), db::Error> {
    record_change(conn, ctx, proof, action, detail, Digests::default()).await
}

/// As [`record`], with what was changed before and after.
///
/// # Errors
/// The database's own.
pub async fn record_change(
    conn: &mut db::Conn,
    ctx: &Context,
    proof: &Authorized,
    action: &str,
    detail: Value,
    digests: Digests,
) -> Result<(), db::Error> {
    let mut record = done(ctx, proof, action, detail);
    record.digests = digests;
    store::insert(conn, &ctx.actor, ctx, &record).await
}

/// As [`record`]; tells which record it is.
async fn record_with_id(
    conn: &mut db::Conn,
    ctx: &Context,
    proof: &Authorized,
    action: &str,
    detail: Value,
) -> Result<AuditId, db::Error> {
    let record = done(ctx, proof, action, detail);
    store::insert(conn, &ctx.actor, ctx, &record).await?;
    Ok(record.id)
}

fn done(ctx: &Context, proof: &Authorized, action: &str, detail: Value) -> Record {
    Record {
        id: AuditId::random(),
        at: ctx.now(),
        action: action.to_owned(),
        target: proof.target().clone(),
        outcome: "done",
        detail,
        digests: Digests::default(),
    }
}

/// Records a refused attempt, in a transaction of its own.
///
/// # Errors
/// The database's own.
pub async fn record_denial(db: &db::Db, ctx: &Context, denied: &Denied) -> Result<(), db::Error> {
    let record = Record {
        id: AuditId::random(),
        at: ctx.now(),
        action: denied.permission.to_string(),
        target: denied.target.clone(),
        outcome: "denied",
        detail: json!({}),
        digests: Digests::default(),
    };
    let mut tx = db.begin().await?;
    store::insert(&mut tx, &ctx.actor, ctx, &record).await?;
    tx.commit().await
}

/// Records what no permission governs: signing in, or failing to. `action` is `noun.verb`;
/// `outcome` one word; `detail` an object without secrets.
///
/// # Errors
/// The database's own.
pub async fn record_attempt(
    conn: &mut db::Conn,
    ctx: &Context,
    target: Target,
    action: &str,
    outcome: &'static str,
    detail: Value,
) -> Result<(), db::Error> {
    let record = Record {
        id: AuditId::random(),
        at: ctx.now(),
        action: action.to_owned(),
        target,
        outcome,
        detail,
        digests: Digests::default(),
    };
    store::insert(conn, &ctx.actor, ctx, &record).await
}
