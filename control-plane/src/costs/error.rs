//! What can go wrong with costs.

use crate::iam::Denied;
use crate::objects::ObjectError;
use crate::problem::{Fault, Kind, Problem};
use crate::workspaces::WorkspaceError;

#[derive(Debug, thiserror::Error)]
pub enum CostError {
    #[error("not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("{detail}")]
    Invalid { pointer: String, detail: String },
    #[error("the file can't be used: {reason}")]
    BadFile { reason: String },
    #[error("there is one for this subject already; change that one")]
    SubjectTaken,
    #[error("there are {limit} already, as many as there may be; delete some first")]
    TooMany { limit: i64 },
    #[error("it was changed by someone else meanwhile; read it again and repeat")]
    Changed,
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl CostError {
    /// A wrong attribute `field` (its name on the wire).
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            pointer: format!("/data/attributes/{field}"),
            detail: detail.into(),
        }
    }
}

impl From<db::Error> for CostError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for CostError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for CostError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "costs.not-found",
            Self::Denied(denied) => denied.code(),
            Self::Invalid { .. } => "costs.invalid",
            Self::BadFile { .. } => "costs.bad-file",
            Self::SubjectTaken => "costs.subject-taken",
            Self::TooMany { .. } => "costs.too-many",
            Self::Changed => "costs.changed-meanwhile",
            Self::Workspace(error) => error.code(),
            Self::Object(error) => error.code(),
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            Self::Invalid { .. }
            | Self::BadFile { .. }
            | Self::SubjectTaken
            | Self::TooMany { .. } => Kind::Invalid,
            Self::Changed => Kind::Conflict,
            Self::Workspace(error) => error.kind(),
            Self::Object(error) => error.kind(),
            Self::Fault(fault) => fault.kind(),
        }
    }

    fn pointer(&self) -> Option<&str> {
        match self {
            Self::Invalid { pointer, .. } => Some(pointer),
            Self::SubjectTaken => Some("/data/attributes/subject"),
            Self::Workspace(error) => error.pointer(),
            Self::NotFound
            | Self::Denied(_)
            | Self::BadFile { .. }
            | Self::TooMany { .. }
            | Self::Changed
            | Self::Object(_)
            | Self::Fault(_) => None,
        }
    }

    fn denied(&self) -> Option<&Denied> {
        if let Self::Denied(denied) = self {
            return Some(denied);
        }
        if let Self::Workspace(error) = self {
            error.denied()
        } else {
            None
        }
    }
}
