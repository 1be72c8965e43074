//! Which states want a cost, of every account, and which process is at which.

use db::{Conn, Json};
use domain::ids::{AccountId, EnvironmentId, StateVersionId, WorkspaceId};

use super::model::day_of;
use crate::clock::Timestamp;
use crate::costs::estimate::Counts;

type Result<T> = std::result::Result<T, db::Error>;

/// A state that wants a cost.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Wanted {
    pub account_id: AccountId,
    pub environment_id: EnvironmentId,
    pub workspace_id: WorkspaceId,
    pub id: StateVersionId,
    pub number: i64,
    pub since: Timestamp,
}

/// One that this process has taken.
#[derive(Debug, Clone)]
pub(super) struct Claimed {
    pub state: Wanted,
    /// Only the result of the latest claim counts.
    pub claim: i64,
    /// How often a process has not come back from it, this time included.
    pub losses: i64,
}

/// A state that waited in quarantine is current since a later day than it came.
const SELECT: &str = "SELECT w.account_id, w.environment_id, w.id AS workspace_id, v.id, v.number,
        (SELECT MAX(p.created_at) FROM state_versions p WHERE p.account_id = v.account_id
            AND p.workspace_id = v.workspace_id AND p.status = 'finalized'
            AND p.number <= v.number) AS since
    FROM workspaces w ";

const UNCLAIMED: &str = " AND (c.claimed_until IS NULL OR c.claimed_until < ";

/// Current states without a cost, the oldest first. What a run writes on its way waits until it is done.
pub(super) async fn missing(conn: &mut Conn, now: Timestamp, limit: i64) -> Result<Vec<Wanted>> {
    conn.build(SELECT)
        .push(
            "JOIN state_versions v ON v.id = w.current_state_version_id
             LEFT JOIN state_costs c ON c.state_version_id = v.id
             WHERE (c.state_version_id IS NULL OR c.status = 'pending')
                AND (NOT v.intermediate OR w.lock_kind IS NULL OR w.lock_kind <> 'run')",
        )
        .push(UNCLAIMED)
        .bind(now)
        .push(") ORDER BY v.created_at, v.id LIMIT ")
        .bind(limit)
        .finish()
        .fetch_all()
        .await
}

/// Whether any state has a cost.
pub(super) async fn any(conn: &mut Conn) -> Result<bool> {
    let one: Option<(i64,)> = conn
        .query("SELECT claim FROM state_costs LIMIT 1")
        .fetch_optional()
        .await?;
    Ok(one.is_some())
}

/// Current states that were priced with something else than what counts now. Another `basis` must have
/// had its time: while a new release is rolled out, two of them are at work.
pub(super) async fn outdated(
    conn: &mut Conn,
    now: Timestamp,
    basis: &str,
    priced_before: Timestamp,
    limit: i64,
) -> Result<Vec<Wanted>> {
    conn.build(SELECT)
        .push(
            "JOIN state_versions v ON v.id = w.current_state_version_id
             JOIN state_costs c ON c.state_version_id = v.id
             WHERE c.status <> 'pending' AND ((c.basis <> ",
        )
        .bind(basis)
        .push(" AND c.priced_at < ")
        .bind(priced_before)
        .push(
            ") OR c.revision <> COALESCE((SELECT SUM(r.revision) FROM cost_revisions r
                WHERE r.account_id = w.account_id
                    AND r.subject_id IN (w.account_id, w.environment_id, w.id)), 0))",
        )
        .push(UNCLAIMED)
        .bind(now)
        .push(") ORDER BY c.priced_at, v.id LIMIT ")
        .bind(limit)
        .finish()
        .fetch_all()
        .await
}

/// States that have been replaced before their cost was known, the newest first. What a run wrote on its
/// way is none of them.
pub(super) async fn earlier(
    conn: &mut Conn,
    now: Timestamp,
    created_after: Timestamp,
    limit: i64,
) -> Result<Vec<Wanted>> {
    conn.build(SELECT)
        .push(
            "JOIN state_versions v ON v.account_id = w.account_id AND v.workspace_id = w.id
             LEFT JOIN state_costs c ON c.state_version_id = v.id
             WHERE v.status = 'finalized' AND v.id <> w.current_state_version_id
                AND ((c.state_version_id IS NULL AND NOT v.intermediate) OR c.status = 'pending')
                AND v.created_at > ",
        )
        .bind(created_after)
        .push(UNCLAIMED)
        .bind(now)
        .push(") ORDER BY v.created_at DESC, v.id LIMIT ")
        .bind(limit)
        .finish()
        .fetch_all()
        .await
}

/// Takes a state for this process until `until`, unless another has it.
pub(super) async fn claim(
    conn: &mut Conn,
    state: Wanted,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<Claimed>> {
    let taken: Option<(i64, i64)> = conn
        .query(
            "INSERT INTO state_costs (state_version_id, account_id, environment_id, workspace_id,
                number, since, day, status, counts, omitted_tags, revision, claimed_until, claim,
                losses)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, 0, 0, $9, 1, 1)
             ON CONFLICT (state_version_id) DO UPDATE SET claimed_until = excluded.claimed_until,
                claim = state_costs.claim + 1, losses = state_costs.losses + 1
             WHERE state_costs.claimed_until IS NULL OR state_costs.claimed_until < $10
             RETURNING claim, losses",
        )
        .bind(&state.id)
        .bind(&state.account_id)
        .bind(&state.environment_id)
        .bind(&state.workspace_id)
        .bind(state.number)
        .bind(state.since)
        .bind(day_of(state.since))
        .bind(Json(Counts::default()))
        .bind(until)
        .bind(now)
        .fetch_optional()
        .await?;
    Ok(taken.map(|(claim, losses)| Claimed {
        state,
        claim,
        losses,
    }))
}

/// Keeps a claim while the work takes long.
pub(super) async fn renew(conn: &mut Conn, claimed: &Claimed, until: Timestamp) -> Result<()> {
    conn.query(
        "UPDATE state_costs SET claimed_until = $4
         WHERE account_id = $1 AND state_version_id = $2 AND claim = $3
            AND claimed_until IS NOT NULL",
    )
    .bind(&claimed.state.account_id)
    .bind(&claimed.state.id)
    .bind(claimed.claim)
    .bind(until)
    .execute()
    .await?;
    Ok(())
}

/// Gives a claim back in order: it is open again from `until` on.
pub(super) async fn give_back(conn: &mut Conn, claimed: &Claimed, until: Timestamp) -> Result<()> {
    conn.query(
        "UPDATE state_costs SET claimed_until = $4, losses = losses - 1
         WHERE account_id = $1 AND state_version_id = $2 AND claim = $3
            AND claimed_until IS NOT NULL",
    )
    .bind(&claimed.state.account_id)
    .bind(&claimed.state.id)
    .bind(claimed.claim)
    .bind(until)
    .execute()
    .await?;
    Ok(())
}
