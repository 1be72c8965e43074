//! Exports, a part at a time: they are never held whole.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, stream};

use super::filter::Filter;
use super::store::{self, Found};
use super::table;
use crate::app::App;
use crate::audit::chain::{self, Chain};
use crate::audit::error::AuditError;
use crate::context::Tenant;
use crate::http::csv;

/// Records that are in memory at a time.
const PART: i64 = 500;

/// What an export looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// What `terrane audit verify` reads.
    JsonLines,
    Csv,
}

impl Format {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::JsonLines => "json",
            Self::Csv => "csv",
        }
    }
}

/// An export that has been allowed.
pub(super) struct Export {
    pub app: Arc<App>,
    pub tenant: Tenant,
    pub filter: Filter,
    pub format: Format,
    /// As it stood when the export began: later records are not in it.
    pub chain: Chain,
}

/// Where an export stands.
#[derive(Clone, Copy)]
enum Next {
    Header,
    After(i64),
}

impl Export {
    /// The lines, in the order of the chain.
    pub(super) fn stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let begin = match self.format {
            Format::JsonLines => Next::After(self.chain.removed_sequence),
            Format::Csv => Next::Header,
        };
        stream::try_unfold((self, begin), async |(export, next)| {
            let part = export.part(next).await.map_err(io::Error::other)?;
            Ok(part.map(|(lines, then)| (Bytes::from(lines), (export, then))))
        })
    }

    async fn part(&self, next: Next) -> Result<Option<(Vec<u8>, Next)>, AuditError> {
        let after = match next {
            Next::Header => {
                let header = csv::lines(&[table::HEADER]).map_err(unwritable)?;
                return Ok(Some((header, Next::After(self.chain.removed_sequence))));
            }
            Next::After(after) => after,
        };
        let (mut conn, last) = (self.app.db.acquire().await?, self.chain.sequence);
        let found = store::part(&mut conn, &self.tenant, &self.filter, after, last, PART).await?;
        let Some(end) = found.last().and_then(|it| it.entry.sequence) else {
            return Ok(None);
        };
        // What retention has removed on the way would look like tampering.
        let now = chain::store::chain(&mut conn, &self.tenant).await?;
        if now.removed_sequence > after.max(self.chain.removed_sequence) {
            return Err(AuditError::RemovedMeanwhile);
        }
        Ok(Some((self.written(&found)?, Next::After(end))))
    }

    fn written(&self, found: &[Found]) -> Result<Vec<u8>, AuditError> {
        if self.format == Format::Csv {
            let rows: Vec<_> = found.iter().map(table::row).collect();
            return csv::lines(&rows).map_err(unwritable);
        }
        let mut lines = Vec::new();
        for record in found {
            lines.extend(record.entry.line(record.previous(&self.chain))?);
            lines.push(b'\n');
        }
        Ok(lines)
    }
}

fn unwritable(_: io::Error) -> AuditError {
    let what = "an audit record that is to be exported";
    crate::problem::Fault::Unreadable { what }.into()
}
