//! What can go wrong with a workspace.

use crate::iam::Denied;
use crate::problem::{Fault, Kind, Problem};

#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    #[error("workspace not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("{detail}")]
    Invalid { pointer: String, detail: String },
    #[error("Name has already been taken")]
    NameTaken,
    #[error("the workspace is already locked by {holder}; unlock it first")]
    AlreadyLocked { holder: String },
    #[error("the workspace is already unlocked")]
    NotLocked,
    #[error("the workspace is locked by {holder}")]
    LockedByOther { holder: String },
    #[error("the workspace has an unfinished run that holds it; let it end or cancel it first")]
    HeldByRun,
    #[error("the latest state version is still pending")]
    StatePending,
    #[error("the workspace is locked; unlock it before deleting it")]
    DeleteLocked,
    #[error("the workspace is still managing resources; destroy them first, or force the deletion")]
    StillManaging,
    #[error("the workspace was changed by someone else meanwhile; read it again and repeat")]
    Changed,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl WorkspaceError {
    /// A wrong attribute `field` (its name on the wire).
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            pointer: format!("/data/attributes/{field}"),
            detail: detail.into(),
        }
    }
}

impl From<db::Error> for WorkspaceError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for WorkspaceError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for WorkspaceError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "workspaces.not-found",
            Self::Denied(denied) => denied.code(),
            Self::Invalid { .. } => "workspaces.invalid",
            Self::NameTaken => "workspaces.name-taken",
            Self::AlreadyLocked { .. } => "workspaces.already-locked",
            Self::NotLocked => "workspaces.not-locked",
            Self::LockedByOther { .. } => "workspaces.locked-by-other",
            Self::HeldByRun => "workspaces.held-by-run",
            Self::StatePending => "workspaces.state-pending",
            Self::DeleteLocked => "workspaces.delete-locked",
            Self::StillManaging => "workspaces.still-managing-resources",
            Self::Changed => "workspaces.changed-meanwhile",
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            // Clients retry an unlock only on a status other than 409.
            Self::Invalid { .. } | Self::NameTaken | Self::StatePending => Kind::Invalid,
            Self::AlreadyLocked { .. }
            | Self::NotLocked
            | Self::LockedByOther { .. }
            | Self::HeldByRun
            | Self::DeleteLocked
            | Self::StillManaging
            | Self::Changed => Kind::Conflict,
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
