//! The words of cost estimates and cost limits.

use crate::text_enum::text_enum;

text_enum! {
    /// How far the estimate of a run has come: the strings of the TFE contract.
    pub enum EstimateStatus {
        Pending = "pending",
        Queued = "queued",
        Finished = "finished",
        Errored = "errored",
        SkippedDueToTargeting = "skipped_due_to_targeting",
        Canceled = "canceled",
        Unreachable = "unreachable",
    }
}

impl EstimateStatus {
    /// Whether it stays as it is.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Queued)
    }
}

text_enum! {
    /// What happens when a cost limit is broken, the mildest first.
    pub enum LimitAction {
        /// It is said.
        Warn = "warn",
        /// The run waits for somebody's approval.
        RequireApproval = "require-approval",
        /// The run can't be applied.
        Block = "block",
    }
}

text_enum! {
    /// How an account's prices differ from the list.
    pub enum AdjustmentKind {
        /// Percent off, by resource type or prefix.
        Discount = "discount",
        /// USD a month, by resource type or address.
        MonthlyPrice = "monthly-price",
    }
}

text_enum! {
    /// Whether the cost of a state is known.
    pub enum StateCostStatus {
        /// Its turn has not come yet.
        Pending = "pending",
        Priced = "priced",
        /// It can't be read.
        Unpriced = "unpriced",
    }
}

text_enum! {
    /// What a state's subtotals are of.
    pub enum CostPartKind {
        Module = "module",
        Tag = "tag",
    }
}
