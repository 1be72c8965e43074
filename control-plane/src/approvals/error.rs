//! What can go wrong with rules and approvals.

use crate::iam::Denied;
use crate::problem::{Fault, Kind, Problem};
use crate::workspaces::WorkspaceError;

#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    #[error("not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("{detail}")]
    Invalid { pointer: String, detail: String },
    #[error(
        "there are {limit} approval rules here already, the most there can be; change or delete one"
    )]
    TooManyRules { limit: i64 },
    #[error(
        "you created or confirmed this run, so its approval must come from somebody else: ask a \
         colleague to approve it"
    )]
    OwnRun,
    #[error("this run can't be approved {when}")]
    NotOpen { when: &'static str },
    #[error("you have approved this run already")]
    AlreadyGiven,
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl ApprovalError {
    /// A wrong attribute `field` (its name on the wire).
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            pointer: format!("/data/attributes/{field}"),
            detail: detail.into(),
        }
    }
}

impl From<db::Error> for ApprovalError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for ApprovalError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for ApprovalError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "approvals.not-found",
            Self::Denied(denied) => denied.code(),
            Self::Invalid { .. } => "approvals.invalid",
            Self::TooManyRules { .. } => "approvals.too-many-rules",
            Self::OwnRun => "approvals.own-run",
            Self::NotOpen { .. } => "approvals.not-open",
            Self::AlreadyGiven => "approvals.already-given",
            Self::Workspace(error) => error.code(),
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            Self::Invalid { .. } | Self::TooManyRules { .. } => Kind::Invalid,
            Self::OwnRun | Self::NotOpen { .. } | Self::AlreadyGiven => Kind::Conflict,
            Self::Workspace(error) => error.kind(),
            Self::Fault(fault) => fault.kind(),
        }
    }

    fn pointer(&self) -> Option<&str> {
        match self {
            Self::Invalid { pointer, .. } => Some(pointer),
            Self::Workspace(error) => error.pointer(),
            Self::NotFound
            | Self::Denied(_)
            | Self::TooManyRules { .. }
            | Self::OwnRun
            | Self::NotOpen { .. }
            | Self::AlreadyGiven
            | Self::Fault(_) => None,
        }
    }

    fn denied(&self) -> Option<&Denied> {
        match self {
            Self::Denied(denied) => Some(denied),
            Self::Workspace(error) => error.denied(),
            Self::NotFound
            | Self::Invalid { .. }
            | Self::TooManyRules { .. }
            | Self::OwnRun
            | Self::NotOpen { .. }
            | Self::AlreadyGiven
            | Self::Fault(_) => None,
        }
    }
}
