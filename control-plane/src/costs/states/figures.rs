//! Sums that never hide what they leave out.

use domain::cost::StateCostStatus;
use rust_decimal::Decimal;

use crate::costs::CostError;
use crate::costs::estimate::Counts;
use crate::problem::Fault;

/// USD.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    pub monthly: Decimal,
    pub hourly: Decimal,
    /// The share of the monthly cost that depends on assumed usage.
    pub usage: Decimal,
}

impl Amounts {
    /// As rows have them; what is not there is nothing.
    pub(super) fn read(
        monthly: Option<&str>,
        hourly: Option<&str>,
        usage: Option<&str>,
    ) -> Result<Self, CostError> {
        Ok(Self {
            monthly: read(monthly)?,
            hourly: read(hourly)?,
            usage: read(usage)?,
        })
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.monthly += other.monthly;
        self.hourly += other.hourly;
        self.usage += other.usage;
    }
}

fn read(text: Option<&str>) -> Result<Decimal, CostError> {
    let unreadable = |_| Fault::Unreadable {
        what: "the cost of a state",
    };
    Ok(text
        .map_or(Ok(Decimal::ZERO), str::parse)
        .map_err(unreadable)?)
}

/// What is known of a workspace's cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It has no state, so it costs nothing.
    Nothing,
    /// Its state can't be priced.
    Unpriced,
    Priced,
    /// Its state waits to be priced; what is in the sum is what the one before it costs.
    Pending,
}

impl Known {
    pub(super) fn of(status: StateCostStatus, is_current: bool) -> Self {
        if !is_current {
            return Self::Pending;
        }
        match status {
            StateCostStatus::Pending => Self::Pending,
            StateCostStatus::Priced => Self::Priced,
            StateCostStatus::Unpriced => Self::Unpriced,
        }
    }
}

/// A sum over workspaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub amounts: Amounts,
    pub counts: Counts,
    pub workspaces: i64,
    pub unpriced: i64,
    pub pending: i64,
}

impl Tally {
    pub(super) fn add(&mut self, known: Known, amounts: &Amounts, counts: &Counts) {
        self.workspaces += 1;
        self.unpriced += i64::from(known == Known::Unpriced);
        self.pending += i64::from(known == Known::Pending);
        self.amounts.add(amounts);
        self.counts.add(counts);
    }
}
