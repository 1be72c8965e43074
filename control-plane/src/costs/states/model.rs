//! What the cost of a state is.

use chrono::{DateTime, NaiveDate};
use domain::cost::{CostPartKind, StateCostStatus};
use domain::ids::{StateVersionId, WorkspaceId};
use sqlx::FromRow;

use crate::clock::Timestamp;
use crate::costs::estimate::Counts;

const SECONDS_OF_A_DAY: i64 = 86_400;

/// The day (UTC) of a time, counted from 1970-01-01.
pub(super) fn day_of(time: Timestamp) -> i64 {
    time.timestamp().div_euclid(SECONDS_OF_A_DAY)
}

/// A counted day as people write it.
pub(super) fn date_of(day: i64) -> NaiveDate {
    DateTime::from_timestamp(day.saturating_mul(SECONDS_OF_A_DAY), 0)
        .unwrap_or_default()
        .date_naive()
}

/// Where a day begins.
pub(super) fn start_of(date: NaiveDate) -> Timestamp {
    date.and_time(chrono::NaiveTime::MIN).and_utc()
}

/// What one state costs.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct StateCost {
    pub state_version_id: StateVersionId,
    pub workspace_id: WorkspaceId,
    pub since: Timestamp,
    pub status: StateCostStatus,
    /// USD, as decimal text; all three are there when it is priced.
    pub monthly: Option<String>,
    pub hourly: Option<String>,
    pub usage_monthly: Option<String>,
    #[sqlx(json)]
    pub counts: Counts,
    pub omitted_tags: i64,
    /// Why it can't be priced.
    pub error: Option<String>,
    pub price_book: Option<String>,
    pub priced_at: Option<Timestamp>,
}

/// A subtotal of a state.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct Part {
    pub state_version_id: StateVersionId,
    pub kind: CostPartKind,
    /// The tag; empty for modules.
    pub key: String,
    /// Module, or value of the tag.
    pub name: String,
    /// All that are not told apart.
    pub remainder: bool,
    pub monthly: String,
    pub hourly: String,
    pub usage_monthly: String,
    pub resources: i64,
    pub unmatched: i64,
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn days_are_counted_there_and_back() {
        for (time, day) in [
            ("1970-01-01T23:59:59Z", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("2026-05-01T00:00:00Z", 20_574),
        ] {
            let time: Timestamp = time.parse().unwrap();
            assert_eq!(day_of(time), day);
            assert_eq!(date_of(day), time.date_naive());
            assert_eq!(day_of(start_of(time.date_naive())), day);
        }
    }
}
