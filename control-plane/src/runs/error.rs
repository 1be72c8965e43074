//! What can go wrong with a run, its configuration, its jobs and logs.

use super::machine::Illegal;
use crate::approvals::ApprovalError;
use crate::costs::CostError;
use crate::fetches::FetchError;
use crate::iam::Denied;
use crate::objects::ObjectError;
use crate::policies::PolicyError;
use crate::problem::{Fault, Kind, Problem};
use crate::state::StateError;
use crate::workspaces::WorkspaceError;

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("{detail}")]
    Invalid { pointer: String, detail: String },
    #[error(transparent)]
    Illegal(#[from] Illegal),
    #[error("the run was changed by someone else meanwhile; read it again and repeat")]
    Changed,
    #[error("the plan is stale, so the run was discarded: {reason}; plan again")]
    PlanStale { reason: String },
    #[error("force-cancel is allowed {seconds} seconds after a cancel; cancel first, or wait")]
    ForceCancelTooEarly { seconds: i64 },
    #[error("the configuration version has been uploaded already; make a new one")]
    AlreadyUploaded,
    #[error("the archive can't be used: {reason}")]
    BadArchive { reason: String },
    #[error("the lease of this job is no longer yours: stale epoch")]
    StaleEpoch,
    #[error("this job belongs to no run: it has no log, state, plan or configuration")]
    OfNoRun,
    #[error("a log chunk begins at {got}, but the log ends at {expected}")]
    LogGap { expected: i64, got: i64 },
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Cost(#[from] CostError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl RunError {
    /// A wrong attribute `field` (its name on the wire).
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            pointer: format!("/data/attributes/{field}"),
            detail: detail.into(),
        }
    }

    /// A wrong relationship `name`.
    pub fn invalid_relationship(name: &str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            pointer: format!("/data/relationships/{name}"),
            detail: detail.into(),
        }
    }
}

impl From<db::Error> for RunError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for RunError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for RunError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "runs.not-found",
            Self::Denied(denied) => denied.code(),
            Self::Invalid { .. } => "runs.invalid",
            Self::Illegal(_) => "runs.not-in-this-status",
            Self::Changed => "runs.changed-meanwhile",
            Self::PlanStale { .. } => "runs.plan-stale",
            Self::ForceCancelTooEarly { .. } => "runs.force-cancel-too-early",
            Self::AlreadyUploaded => "configurations.already-uploaded",
            Self::BadArchive { .. } => "configurations.bad-archive",
            Self::StaleEpoch => "jobs.stale-epoch",
            Self::OfNoRun => "jobs.of-no-run",
            Self::LogGap { .. } => "jobs.log-gap",
            Self::Approval(error) => error.code(),
            Self::Workspace(error) => error.code(),
            Self::Fetch(error) => error.code(),
            Self::Policy(error) => error.code(),
            Self::Object(error) => error.code(),
            Self::State(error) => error.code(),
            Self::Cost(error) => error.code(),
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            Self::Invalid { .. } | Self::BadArchive { .. } => Kind::Invalid,
            Self::Illegal(_)
            | Self::Changed
            | Self::PlanStale { .. }
            | Self::ForceCancelTooEarly { .. }
            | Self::AlreadyUploaded
            | Self::StaleEpoch
            | Self::OfNoRun
            | Self::LogGap { .. } => Kind::Conflict,
            Self::Approval(error) => error.kind(),
            Self::Workspace(error) => error.kind(),
            Self::Fetch(error) => error.kind(),
            Self::Policy(error) => error.kind(),
            Self::Object(error) => error.kind(),
            Self::State(error) => error.kind(),
            Self::Cost(error) => error.kind(),
            Self::Fault(fault) => fault.kind(),
        }
    }

    fn pointer(&self) -> Option<&str> {
        if let Self::Workspace(error) = self {
            return error.pointer();
        }
        if let Self::Approval(error) = self {
            return error.pointer();
        }
        if let Self::Invalid { pointer, .. } = self {
            Some(pointer)
        } else {
            None
        }
    }

    fn denied(&self) -> Option<&Denied> {
        if let Self::Workspace(error) = self {
            return error.denied();
        }
        if let Self::Approval(error) = self {
            return error.denied();
        }
        if let Self::Denied(denied) = self {
            Some(denied)
        } else {
            None
        }
    }
}
