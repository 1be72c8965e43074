//! The unit of work that a runner leases.

use crate::text_enum::text_enum;

text_enum! {
    /// What a job does.
    pub enum JobKind {
        /// Clone a pinned commit, pack it, and make it the configuration version.
        Fetch = "fetch",
        Plan = "plan",
        /// Never executed twice, whatever happens.
        Apply = "apply",
    }
}

text_enum! {
    /// Where a job stands. `Leased` says nothing of whether its runner still answers; see the
    /// lease's deadline for that.
    pub enum JobStatus {
        Queued = "queued",
        /// Sent to a runner that has not acknowledged it yet.
        Offered = "offered",
        Leased = "leased",
        /// An apply whose runner has been silent past its deadline: it goes on there.
        OutOfContact = "out-of-contact",
        Finished = "finished",
        /// Ended without a result from its runner.
        Abandoned = "abandoned",
    }
}

text_enum! {
    /// For what kind of thing a repository is fetched, when it is not for a run.
    pub enum FetchOwnerKind {
        /// One revision of a policy group.
        PolicyRevisions = "policy-revisions",
    }
}

text_enum! {
    /// How far a fetch has come.
    pub enum FetchStatus {
        /// No runner has taken it yet.
        Waiting = "waiting",
        Fetching = "fetching",
        Fetched = "fetched",
        Failed = "failed",
        /// Nobody wants it any more.
        Canceled = "canceled",
    }
}

text_enum! {
    /// How a runner executes jobs.
    pub enum ExecutorKind {
        Docker = "docker",
        Process = "process",
    }
}
