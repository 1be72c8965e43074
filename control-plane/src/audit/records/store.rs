//! Reads rows of the audit log.

use db::{Builder, Conn};
use sqlx::FromRow;

use super::filter::Filter;
use crate::audit::chain::{Chain, Entry};
use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

/// A record with what is known of where it happened.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Found {
    #[sqlx(flatten)]
    pub entry: Entry,
    /// None when there is none any more.
    pub environment_name: Option<String>,
    pub workspace_name: Option<String>,
    /// The hash of the record before it in the chain.
    pub previous: Option<String>,
}

impl Found {
    /// The hash before it, also when retention has removed the record that has it.
    pub(super) fn previous<'a>(&'a self, chain: &'a Chain) -> Option<&'a str> {
        let first = self.entry.sequence == Some(chain.removed_sequence + 1);
        let removed = first.then_some(chain.removed_hash.as_str());
        self.previous.as_deref().or(removed)
    }
}

const SELECT: &str = "SELECT r.id, r.account_id, r.at, r.actor_kind, r.actor_id, r.actor_name,
        r.token_last_six, r.action, r.target_kind, r.target_id, r.environment_id, r.workspace_id,
        r.outcome, r.source_address, r.request_id, r.detail, r.before_digest, r.after_digest,
        r.sequence, r.hash, e.name AS environment_name, w.name AS workspace_name,
        (SELECT p.hash FROM audit_records p WHERE p.account_id = r.account_id
            AND p.sequence = r.sequence - 1) AS previous
    FROM audit_records r
    LEFT JOIN environments e ON e.id = r.environment_id AND e.account_id = r.account_id
    LEFT JOIN workspaces w ON w.id = r.workspace_id AND w.account_id = r.account_id
    WHERE r.account_id = ";
const COUNT: &str = "SELECT COUNT(*) FROM audit_records r WHERE r.account_id = ";

/// Either of two columns, or of a subquery's, is one of these.
fn push_either<'c>(
    query: Builder<'c>,
    first: &'static str,
    second: &'static str,
    end: &'static str,
    values: &[String],
) -> Builder<'c> {
    if values.is_empty() {
        return query;
    }
    query
        .push_in(first, values)
        .push_in(second, values)
        .push(end)
}

fn filtered<'c>(query: Builder<'c>, filter: &Filter) -> Builder<'c> {
    let query = push_either(
        query,
        " AND (r.actor_id IN (",
        " OR r.actor_name IN (",
        ")",
        &filter.actors,
    );
    let query = push_either(
        query,
        " AND (r.environment_id IN (",
        " OR r.environment_id IN (SELECT n.id FROM environments n
            WHERE n.account_id = r.account_id AND n.name IN (",
        "))",
        &filter.environments,
    );
    let query = push_either(
        query,
        " AND (r.workspace_id IN (",
        " OR r.workspace_id IN (SELECT n.id FROM workspaces n
            WHERE n.account_id = r.account_id AND n.name IN (",
        "))",
        &filter.workspaces,
    );
    query
        .push_in(" AND r.actor_kind IN (", &filter.actor_kinds)
        .push_in(" AND r.action IN (", &filter.actions)
        .push_in(" AND r.target_kind IN (", &filter.target_types)
        .push_in(" AND r.target_id IN (", &filter.target_ids)
        .push_in(" AND r.outcome IN (", &filter.outcomes)
        .push_if(" AND r.request_id = ", filter.request.as_ref())
        .push_if(" AND r.at >= ", filter.since)
        .push_if(" AND r.at < ", filter.until)
}

/// In which order a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    NewestFirst,
    OldestFirst,
}

pub(super) async fn search(
    conn: &mut Conn,
    tenant: &Tenant,
    filter: &Filter,
    order: Order,
    page: Page,
) -> Result<Paged<Found>> {
    let count = conn.build(COUNT).bind(tenant.account());
    let total = filtered(count, filter).finish().fetch_scalar().await?;
    let select = conn.build(SELECT).bind(tenant.account());
    let items = filtered(select, filter)
        .push(match order {
            Order::NewestFirst => " ORDER BY r.at DESC, r.id DESC LIMIT ",
            Order::OldestFirst => " ORDER BY r.at, r.id LIMIT ",
        })
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    Ok(Paged { items, total })
}

pub(super) async fn find(conn: &mut Conn, tenant: &Tenant, id: &str) -> Result<Option<Found>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" AND r.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

/// Sealed records after one place in the chain, up to another, in its order.
pub(super) async fn part(
    conn: &mut Conn,
    tenant: &Tenant,
    filter: &Filter,
    after: i64,
    up_to: i64,
    limit: i64,
) -> Result<Vec<Found>> {
    let select = conn.build(SELECT).bind(tenant.account());
    filtered(select, filter)
        .push(" AND r.sequence > ")
        .bind(after)
        .push(" AND r.sequence <= ")
        .bind(up_to)
        .push(" ORDER BY r.sequence LIMIT ")
        .bind(limit)
        .finish()
        .fetch_all()
        .await
}
