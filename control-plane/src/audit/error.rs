//! What can go wrong with the audit log.

use crate::iam::Denied;
use crate::problem::{Fault, Kind, Problem};

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("{detail}")]
    Invalid { pointer: String, detail: String },
    #[error("Name has already been taken")]
    NameTaken,
    #[error("an account can have {limit} streams; delete one first")]
    TooMany { limit: i64 },
    #[error("it was changed by someone else meanwhile; read it again and repeat")]
    Changed,
    #[error("records were removed while they were being exported; start the export again")]
    RemovedMeanwhile,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl AuditError {
    /// A wrong attribute `field` (its name on the wire).
    pub(super) fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            pointer: format!("/data/attributes/{field}"),
            detail: detail.into(),
        }
    }
}

impl From<db::Error> for AuditError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for AuditError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for AuditError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "audit.not-found",
            Self::Denied(denied) => denied.code(),
            Self::Invalid { .. } => "audit.invalid",
            Self::NameTaken => "audit.name-taken",
            Self::TooMany { .. } => "audit.too-many",
            Self::Changed => "audit.changed-meanwhile",
            Self::RemovedMeanwhile => "audit.removed-meanwhile",
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            Self::Invalid { .. } | Self::NameTaken => Kind::Invalid,
            Self::TooMany { .. } | Self::Changed | Self::RemovedMeanwhile => Kind::Conflict,
            Self::Fault(fault) => fault.kind(),
        }
    }

    fn pointer(&self) -> Option<&str> {
        if let Self::Invalid { pointer, .. } = self {
            return Some(pointer);
        }
        matches!(self, Self::NameTaken).then_some("/data/attributes/name")
    }

    fn denied(&self) -> Option<&Denied> {
        if let Self::Denied(denied) = self {
            Some(denied)
        } else {
            None
        }
    }
}
