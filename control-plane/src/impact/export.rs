//! The whole matrix as CSV, a part at a time: it is never held whole.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use domain::ids::ImpactAnalysisId;
use domain::policy::JudgedStatus;
use futures::{Stream, stream};

use super::error::ImpactError;
use super::model::FieldFilter;
use super::{csv, service};
use crate::app::App;
use crate::context::Context;
use crate::http::csv::lines;
use crate::http::page::Page;

const PART: i64 = 500;

/// What comes next.
#[derive(Clone, Copy)]
enum Next {
    Header,
    Fields(i64),
    Unjudgeable(i64),
    End,
}

struct Export {
    app: Arc<App>,
    ctx: Context,
    id: ImpactAnalysisId,
    filter: FieldFilter,
}

/// The lines of the matrix, then the runs that can't be judged.
pub(super) fn csv(
    app: Arc<App>,
    ctx: Context,
    id: ImpactAnalysisId,
    filter: FieldFilter,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let export = Export {
        app,
        ctx,
        id,
        filter,
    };
    stream::try_unfold((export, Next::Header), async |(export, next)| {
        let Some((part, then)) = export.part(next).await? else {
            return Ok(None);
        };
        Ok(Some((Bytes::from(part), (export, then))))
    })
}

impl Export {
    async fn part(&self, next: Next) -> io::Result<Option<(Vec<u8>, Next)>> {
        let page = |number| Page { number, size: PART };
        let failed = |error: ImpactError| io::Error::other(error);
        let more = |number: i64, total: i64| number.saturating_mul(PART) < total;
        Ok(match next {
            Next::Header => Some((lines(&[csv::HEADER])?, Next::Fields(1))),
            Next::Fields(number) => {
                let found =
                    service::results(&self.app, &self.ctx, &self.id, &self.filter, page(number))
                        .await
                        .map_err(failed)?;
                let rows: Vec<_> = found.items.iter().map(csv::field).collect();
                let then = if more(number, found.total) {
                    Next::Fields(number + 1)
                } else {
                    Next::Unjudgeable(1)
                };
                Some((lines(&rows)?, then))
            }
            Next::Unjudgeable(number) => {
                let status = Some(JudgedStatus::Unjudgeable);
                let found = service::runs(&self.app, &self.ctx, &self.id, status, page(number))
                    .await
                    .map_err(failed)?;
                let rows: Vec<_> = found.items.iter().map(csv::unjudgeable).collect();
                let then = if more(number, found.total) {
                    Next::Unjudgeable(number + 1)
                } else {
                    Next::End
                };
                Some((lines(&rows)?, then))
            }
            Next::End => None,
        })
    }
}
