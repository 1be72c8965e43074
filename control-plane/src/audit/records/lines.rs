//! A piece of the chain as lines, for whoever sends it on.

use db::Conn;

use super::filter::Filter;
use super::store;
use crate::audit::chain::Chain;
use crate::audit::error::AuditError;
use crate::clock::Timestamp;
use crate::context::Tenant;

/// Consecutive records as lines of an export.
#[derive(Debug)]
pub(in crate::audit) struct Lines {
    pub first: i64,
    pub last: i64,
    /// When the first was written.
    pub at: Timestamp,
    pub body: Vec<u8>,
}

/// The records after a place in the chain, up to its end: at most `records`, and not more than the
/// one that exceeds `bytes`.
pub(in crate::audit) async fn lines_after(
    conn: &mut Conn,
    tenant: &Tenant,
    chain: &Chain,
    after: i64,
    (records, bytes): (i64, usize),
) -> Result<Option<Lines>, AuditError> {
    let all = Filter::default();
    let found = store::part(conn, tenant, &all, after, chain.sequence, records).await?;
    let mut lines: Option<Lines> = None;
    for record in &found {
        let line = record.entry.line(record.previous(chain))?;
        let sequence = record.entry.sequence.unwrap_or_default();
        let lines = lines.get_or_insert_with(|| Lines {
            first: sequence,
            last: sequence,
            at: record.entry.at,
            body: Vec::new(),
        });
        lines.last = sequence;
        lines.body.extend(line);
        lines.body.push(b'\n');
        if lines.body.len() >= bytes {
            break;
        }
    }
    Ok(lines)
}
