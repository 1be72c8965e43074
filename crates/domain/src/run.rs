//! The statuses of a run, its plan and its apply: the strings of the TFE contract, and none of our
//! own.

use crate::text_enum::text_enum;

text_enum! {
    /// Where a run stands. What each one allows is decided in the run machine of the control plane.
    pub enum RunStatus {
        Pending = "pending",
        Fetching = "fetching",
        FetchingCompleted = "fetching_completed",
        PrePlanRunning = "pre_plan_running",
        PrePlanCompleted = "pre_plan_completed",
        PrePlanAwaitingDecision = "pre_plan_awaiting_decision",
        PlanQueued = "plan_queued",
        Planning = "planning",
        Planned = "planned",
        CostEstimating = "cost_estimating",
        CostEstimated = "cost_estimated",
        PolicyChecking = "policy_checking",
        PolicyOverride = "policy_override",
        PolicyChecked = "policy_checked",
        PolicySoftFailed = "policy_soft_failed",
        PlannedAndFinished = "planned_and_finished",
        PlannedAndSaved = "planned_and_saved",
        Confirmed = "confirmed",
        ApplyQueued = "apply_queued",
        Applying = "applying",
        Applied = "applied",
        Errored = "errored",
        Canceled = "canceled",
        Discarded = "discarded",
    }
}

impl RunStatus {
    /// No event moves a run out of a final status.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::PolicySoftFailed
                | Self::PlannedAndFinished
                | Self::Applied
                | Self::Errored
                | Self::Canceled
                | Self::Discarded
        )
    }
}

text_enum! {
    /// How far the plan or the apply of a run has come.
    pub enum PhaseStatus {
        Pending = "pending",
        Queued = "queued",
        Running = "running",
        Finished = "finished",
        Errored = "errored",
        Canceled = "canceled",
        /// It will never run. Log streaming ends here.
        Unreachable = "unreachable",
    }
}

impl PhaseStatus {
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Finished | Self::Errored | Self::Canceled | Self::Unreachable
        )
    }
}

text_enum! {
    /// The two halves of a run that Terraform executes.
    pub enum Phase {
        Plan = "plan",
        Apply = "apply",
    }
}

text_enum! {
    /// Which client made the run, which decides how its log is served: `cloud {}` renders JSON
    /// lines itself, `backend "remote"` prints the log verbatim.
    pub enum RunSource {
        Api = "tfe-api",
        Cloud = "terraform+cloud",
        Remote = "terraform",
        Ui = "tfe-ui",
    }
}
