//! The words of policies: when they are asked, where they come from, and what came of them.

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

text_enum! {
    /// Where the files of a policy group come from.
    pub enum PolicySource {
        /// Archives that somebody uploads.
        Upload = "upload",
        /// A repository that a runner fetches.
        Repository = "repository",
        /// Policies that were uploaded one by one.
        Policies = "policies",
    }
}

text_enum! {
    /// How far a revision of a policy group is.
    pub enum RevisionStatus {
        /// Announced; its archive is not here yet.
        Pending = "pending",
        /// A runner brings its archive.
        Fetching = "fetching",
        Checking = "checking",
        Good = "good",
        /// It can be read, but its own tests fail: it is not used.
        FailingTests = "failing-tests",
        Errored = "errored",
    }
}

text_enum! {
    /// How far an impact analysis is.
    pub enum AnalysisStatus {
        Pending = "pending",
        Running = "running",
        Finished = "finished",
        Errored = "errored",
    }
}

impl AnalysisStatus {
    /// Whether it has not come to its end.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }
}

text_enum! {
    /// What has become of a run in an impact analysis.
    pub enum JudgedStatus {
        Waiting = "waiting",
        Judged = "judged",
        /// What the policies would have to see of it can't be had.
        Unjudgeable = "unjudgeable",
    }
}

text_enum! {
    /// What a proposed revision changes for one policy and one run.
    pub enum Change {
        /// It would do more to the run: warn, wait for an override, stop.
        NewlyFailing = "newly-failing",
        /// It would do less to the run.
        NewlyPassing = "newly-passing",
        /// It would do the same for another reason.
        Changed = "changed",
        Unchanged = "unchanged",
    }
}
