//! The audit log: who did what, in the same transaction as the change; a denial in one of its own.
//!
//! A record asks for the proof that [`crate::iam::authorize`] gave, so what was not authorised can't
//! be recorded as done.

mod store;

use domain::ids::AuditId;
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::context::Context;
use crate::iam::{Authorized, Denied, Target};

/// One line of the audit log.
#[derive(Debug)]
pub struct Record {
    pub id: AuditId,
    pub at: Timestamp,
    pub action: String,
    pub target: Target,
    pub outcome: &'static str,
    pub detail: Value,
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
    let record = Record {
        id: AuditId::random(),
        at: ctx.now(),
        action: action.to_owned(),
        target: proof.target().clone(),
        outcome: "done",
        detail,
    };
    store::insert(conn, &ctx.actor, ctx, &record).await
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
    };
    store::insert(conn, &ctx.actor, ctx, &record).await
}
