//! What workspaces have cost, day by day: for each day the last state of each.

use domain::cost::StateCostStatus;
use domain::ids::WorkspaceId;

use super::figures::{Amounts, Known, Tally};
use super::place::{self, Place};
use super::read_store::{self, DayRow};
use super::summary::CHUNK;
use crate::app::App;
use crate::context::Context;
use crate::costs::CostError;
use crate::costs::estimate::Counts;

type Result<T> = std::result::Result<T, CostError>;

/// Days of one answer.
pub(super) const MOST: i64 = 366;

/// The first and the last day that are wanted, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Days {
    pub first: i64,
    pub last: i64,
}

impl Days {
    fn count(self) -> usize {
        usize::try_from(self.last - self.first + 1).unwrap_or(0)
    }

    /// The place of a day among those that are wanted; the first for any before it.
    fn place(self, day: i64) -> usize {
        usize::try_from(day - self.first).unwrap_or(0)
    }
}

/// What the workspaces of a place that the caller may read cost at the end of each day (UTC).
///
/// # Errors
/// [`CostError::NotFound`] or the refusal.
pub(super) async fn history(
    app: &App,
    ctx: &Context,
    place: &Place,
    days: Days,
) -> Result<Vec<(i64, Tally)>> {
    let tenant = ctx.tenant();
    let mut tx = app.db.snapshot().await?;
    let found = place::find(&mut tx, ctx, place).await?;
    let mut sums = vec![Tally::default(); days.count()];
    let mut after: Option<WorkspaceId> = None;
    loop {
        let environment = found.environment.as_ref();
        let rows =
            read_store::workspaces(&mut tx, &tenant, environment, after.as_ref(), CHUNK).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.id.clone());
        let ids: Vec<WorkspaceId> = rows
            .into_iter()
            .filter(|row| place::counts(ctx, row))
            .map(|row| row.id)
            .collect();
        let rows = read_store::days(&mut tx, &tenant, &ids, days.first, days.last).await?;
        for of_one in rows.chunk_by(|one, next| one.workspace_id == next.workspace_id) {
            spread(of_one, days, &mut sums)?;
        }
    }
    Ok((days.first..).zip(sums).collect())
}

/// Adds one workspace to the sum of each day since its first state. Rows are in the order in which
/// they were current.
fn spread(rows: &[DayRow], days: Days, sums: &mut [Tally]) -> Result<()> {
    let (mut amounts, mut counts) = (Amounts::default(), Counts::default());
    let mut rows = rows.iter().peekable();
    while let Some(row) = rows.next() {
        if row.status != StateCostStatus::Pending {
            amounts = Amounts::read(
                row.monthly.as_deref(),
                row.hourly.as_deref(),
                row.usage_monthly.as_deref(),
            )?;
            counts = row.counts.clone();
        }
        let known = Known::of(row.status, true);
        let until = rows
            .peek()
            .map_or(sums.len(), |next| days.place(next.day).min(sums.len()));
        let since = days.place(row.day).min(until);
        for sum in sums.get_mut(since..until).unwrap_or_default() {
            sum.add(known, &amounts, &counts);
        }
    }
    Ok(())
}

#[cfg(test)]
mod unit {
    use super::*;

    fn row(day: i64, status: StateCostStatus, monthly: &str) -> DayRow {
        DayRow {
            workspace_id: WorkspaceId::random(),
            day,
            status,
            monthly: (status == StateCostStatus::Priced).then(|| monthly.to_owned()),
            hourly: None,
            usage_monthly: None,
            counts: Counts::default(),
        }
    }

    #[test]
    fn a_state_counts_until_the_next_one() {
        use StateCostStatus::{Pending, Priced, Unpriced};
        let days = Days {
            first: 10,
            last: 16,
        };
        let rows = [
            row(3, Priced, "1"),
            row(11, Priced, "2"),
            row(13, Pending, ""),
            row(14, Unpriced, ""),
            row(15, Priced, "0"),
        ];
        let mut sums = vec![Tally::default(); days.count()];
        spread(&rows, days, &mut sums).unwrap();
        spread(&rows[4..], days, &mut sums).unwrap();
        let shown: Vec<_> = sums
            .iter()
            .map(|it| {
                let monthly = it.amounts.monthly.to_string();
                (monthly, it.workspaces, it.pending, it.unpriced)
            })
            .collect();
        let of = |monthly: &str, workspaces, pending, unpriced| {
            (monthly.to_owned(), workspaces, pending, unpriced)
        };
        assert_eq!(
            shown,
            [
                of("1", 1, 0, 0),
                of("2", 1, 0, 0),
                of("2", 1, 0, 0),
                of("2", 1, 1, 0),
                of("0", 1, 0, 1),
                of("0", 2, 0, 0),
                of("0", 2, 0, 0),
            ]
        );
    }
}
