//! Which process evaluates the gate of which run. A claim runs out, so that a process that died
//! keeps nobody waiting for long.

use db::Conn;
use domain::ids::{AccountId, RunId};

use crate::clock::Timestamp;

type Result<T> = std::result::Result<T, db::Error>;

/// A run that stands at a gate.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct AtGate {
    pub account_id: AccountId,
    pub id: RunId,
}

/// Runs at a gate that nobody evaluates now, oldest first, of every account.
pub(super) async fn at_gate(conn: &mut Conn, now: Timestamp, limit: i64) -> Result<Vec<AtGate>> {
    conn.query(
        "SELECT account_id, id FROM runs
         WHERE status IN ('pre_plan_running', 'cost_estimating', 'policy_checking')
            AND (gate_claimed_until IS NULL OR gate_claimed_until < $1)
         ORDER BY changed_at, id LIMIT $2",
    )
    .bind(now)
    .bind(limit)
    .fetch_all()
    .await
}

/// Takes a run's gate for this process until `until`, unless another has it.
pub(super) async fn claim(
    conn: &mut Conn,
    at: &AtGate,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool> {
    let rows = conn
        .query(
            "UPDATE runs SET gate_claimed_until = $4 WHERE account_id = $1 AND id = $2
                AND status IN ('pre_plan_running', 'cost_estimating', 'policy_checking')
                AND (gate_claimed_until IS NULL OR gate_claimed_until < $3)",
        )
        .bind(&at.account_id)
        .bind(&at.id)
        .bind(now)
        .bind(until)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Keeps a claim while its evaluation takes long, or gives it up early.
pub(super) async fn reclaim(conn: &mut Conn, at: &AtGate, until: Timestamp) -> Result<()> {
    conn.query(
        "UPDATE runs SET gate_claimed_until = $3 WHERE account_id = $1 AND id = $2
            AND gate_claimed_until IS NOT NULL",
    )
    .bind(&at.account_id)
    .bind(&at.id)
    .bind(until)
    .execute()
    .await?;
    Ok(())
}
