//! What a state is priced with, and what came of it. Every function takes the tenant first.

use db::{Conn, Json, Tx};
use domain::cost::StateCostStatus;
use domain::ids::{BlobId, StateVersionId};

use super::claim_store::Claimed;
use super::parts::NewPart;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::costs::amount;
use crate::costs::estimate::Counts;
use crate::state::Summary;

type Result<T> = std::result::Result<T, db::Error>;

/// How many parts are written with one statement.
const AT_ONCE: usize = 50;

/// Where the bytes of a state are, and who may know more of it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Stored {
    pub blob_id: Option<BlobId>,
    #[sqlx(json(nullable))]
    pub summary: Option<Summary>,
    /// The plan of the run that wrote it, or that wrote what it is a copy of.
    pub own_plan: Option<BlobId>,
    /// The plan of the workspace's latest applied run.
    pub last_plan: Option<BlobId>,
}

pub(super) async fn stored(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &StateVersionId,
) -> Result<Option<Stored>> {
    conn.query(
        "SELECT v.blob_id, v.summary,
            (SELECT r.plan_json_blob_id FROM runs r WHERE r.account_id = v.account_id
                AND r.id = COALESCE(v.run_id, o.run_id)) AS own_plan,
            (SELECT r.plan_json_blob_id FROM runs r WHERE r.account_id = v.account_id
                AND r.workspace_id = v.workspace_id AND r.status = 'applied'
                AND r.plan_json_blob_id IS NOT NULL
                ORDER BY r.number DESC LIMIT 1) AS last_plan
         FROM state_versions v
         LEFT JOIN state_versions o ON o.account_id = v.account_id AND o.id = v.rollback_of
         WHERE v.account_id = $1 AND v.id = $2",
    )
    .bind(tenant.account())
    .bind(id)
    .fetch_optional()
    .await
}

/// What came of a state.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    /// Nothing when it can't be priced.
    pub total: Option<&'a ::cost::Subtotal>,
    pub error: Option<&'a str>,
    pub counts: Counts,
    pub parts: &'a [NewPart],
    pub omitted_tags: usize,
    pub price_book: Option<&'a str>,
    pub basis: &'a str,
    pub revision: i64,
}

/// Writes what came of a state, if the claim is still the latest.
pub(super) async fn finish(
    tx: &mut Tx,
    tenant: &Tenant,
    claimed: &Claimed,
    outcome: &Outcome<'_>,
    now: Timestamp,
) -> Result<bool> {
    let status = match outcome.total {
        Some(_) => StateCostStatus::Priced,
        None => StateCostStatus::Unpriced,
    };
    let rows = tx
        .query(
            "UPDATE state_costs SET status = $4, monthly = $5, hourly = $6, usage_monthly = $7,
                counts = $8, omitted_tags = $9, error = $10, price_book = $11, basis = $12,
                revision = $13, priced_at = $14, claimed_until = NULL, losses = 0
             WHERE account_id = $1 AND state_version_id = $2 AND claim = $3
                AND claimed_until IS NOT NULL",
        )
        .bind(tenant.account())
        .bind(&claimed.state.id)
        .bind(claimed.claim)
        .bind(status)
        .bind(outcome.total.map(|total| amount::text(total.monthly)))
        .bind(outcome.total.map(|total| amount::text(total.hourly)))
        .bind(outcome.total.map(|total| amount::text(total.usage)))
        .bind(Json(&outcome.counts))
        .bind(number(outcome.omitted_tags))
        .bind(outcome.error)
        .bind(outcome.price_book)
        .bind(outcome.basis)
        .bind(outcome.revision)
        .bind(now)
        .execute()
        .await?;
    if rows == 0 {
        return Ok(false);
    }
    let id = &claimed.state.id;
    tx.query("DELETE FROM state_cost_parts WHERE account_id = $1 AND state_version_id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    for parts in outcome.parts.chunks(AT_ONCE) {
        insert(tx, tenant, id, parts).await?;
    }
    Ok(true)
}

async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &StateVersionId,
    parts: &[NewPart],
) -> Result<()> {
    let mut query = conn.build(
        "INSERT INTO state_cost_parts (state_version_id, account_id, kind, key, name, remainder,
            monthly, hourly, usage_monthly, resources, unmatched) VALUES ",
    );
    for (at, part) in parts.iter().enumerate() {
        query = query
            .push(if at == 0 { "(" } else { ", (" })
            .bind(id)
            .push(", ")
            .bind(tenant.account())
            .push(", ")
            .bind(part.kind)
            .push(", ")
            .bind(&part.key)
            .push(", ")
            .bind(&part.name)
            .push(", ")
            .bind(part.remainder)
            .push(", ")
            .bind(amount::text(part.figures.monthly))
            .push(", ")
            .bind(amount::text(part.figures.hourly))
            .push(", ")
            .bind(amount::text(part.figures.usage))
            .push(", ")
            .bind(number(part.figures.resources))
            .push(", ")
            .bind(number(part.figures.unanswered))
            .push(")");
    }
    query.finish().execute().await?;
    Ok(())
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
