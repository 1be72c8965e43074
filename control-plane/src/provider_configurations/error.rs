//! What can go wrong with provider configurations.

use crate::iam::Denied;
use crate::problem::{Fault, Kind, Problem};
use crate::run_identity::RunIdentityError;
use crate::workspaces::WorkspaceError;

#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    #[error("not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("{detail}")]
    Invalid { pointer: String, detail: String },
    #[error("another provider configuration of the account has this name")]
    NameTaken,
    #[error("workspaces use it: {workspaces}; remove their links first")]
    InUse { workspaces: String },
    #[error("the workspace has this link already")]
    AlreadyLinked,
    #[error("there are {limit} already; delete some first")]
    TooMany { limit: i64 },
    #[error("it was changed by someone else meanwhile; read it again and repeat")]
    Changed,
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Identity(#[from] RunIdentityError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl ConfigurationError {
    /// A wrong attribute `field` (its name on the wire, or a path below it).
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            pointer: format!("/data/attributes/{field}"),
            detail: detail.into(),
        }
    }

    /// A wrong relationship.
    pub fn relationship(name: &str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            pointer: format!("/data/relationships/{name}"),
            detail: detail.into(),
        }
    }
}

impl From<db::Error> for ConfigurationError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for ConfigurationError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for ConfigurationError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "provider-configurations.not-found",
            Self::Denied(denied) => denied.code(),
            Self::Invalid { .. } => "provider-configurations.invalid",
            Self::NameTaken => "provider-configurations.name-taken",
            Self::InUse { .. } => "provider-configurations.in-use",
            Self::AlreadyLinked => "provider-configurations.already-linked",
            Self::TooMany { .. } => "provider-configurations.too-many",
            Self::Changed => "provider-configurations.changed-meanwhile",
            Self::Workspace(error) => error.code(),
            Self::Identity(error) => error.code(),
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            Self::Invalid { .. } | Self::NameTaken | Self::TooMany { .. } => Kind::Invalid,
            Self::InUse { .. } | Self::AlreadyLinked | Self::Changed => Kind::Conflict,
            Self::Workspace(error) => error.kind(),
            Self::Identity(error) => error.kind(),
            Self::Fault(fault) => fault.kind(),
        }
    }

    fn pointer(&self) -> Option<&str> {
        match self {
            Self::Invalid { pointer, .. } => Some(pointer),
            Self::NameTaken => Some("/data/attributes/name"),
            Self::AlreadyLinked => Some("/data/attributes/alias"),
            Self::Workspace(error) => error.pointer(),
            Self::NotFound
            | Self::Denied(_)
            | Self::InUse { .. }
            | Self::TooMany { .. }
            | Self::Changed
            | Self::Identity(_)
            | Self::Fault(_) => None,
        }
    }

    fn denied(&self) -> Option<&Denied> {
        match self {
            Self::Denied(denied) => Some(denied),
            Self::Workspace(error) => error.denied(),
            Self::Identity(error) => error.denied(),
            Self::NotFound
            | Self::Invalid { .. }
            | Self::NameTaken
            | Self::InUse { .. }
            | Self::AlreadyLinked
            | Self::TooMany { .. }
            | Self::Changed
            | Self::Fault(_) => None,
        }
    }
}
