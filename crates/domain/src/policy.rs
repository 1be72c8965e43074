//! The words of policy checks: when policies are asked, and what came of it.

use crate::text_enum::text_enum;

text_enum! {
    /// When a policy group is asked.
    pub enum PolicyStage {
        /// Before the plan: its policies see the run alone.
        PrePlan = "pre_plan_check",
        /// After the plan and its cost estimate: its policies see both.
        PostPlan = "policy_check",
    }
}

text_enum! {
    /// How far a policy check is, and what it says.
    pub enum PolicyCheckStatus {
        Pending = "pending",
        Queued = "queued",
        /// Nothing stands in the way; advisory policies may have warned.
        Passed = "passed",
        /// It can be overridden.
        SoftFailed = "soft_failed",
        HardFailed = "hard_failed",
        /// The check itself could not be made. It never counts as passed.
        Errored = "errored",
        Overridden = "overridden",
        Canceled = "canceled",
        /// The run ended before it was asked.
        Unreachable = "unreachable",
    }
}
