//! What can go wrong with a variable.

use crate::iam::Denied;
use crate::problem::{Fault, Kind, Problem};
use crate::workspaces::WorkspaceError;

#[derive(Debug, thiserror::Error)]
pub enum VariableError {
    #[error("variable not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("{detail}")]
    Invalid { pointer: String, detail: String },
    #[error("Key has already been taken")]
    KeyTaken,
    #[error("a sensitive variable can only be made visible together with a new value")]
    StaysSensitive,
    #[error(
        "the {level} has a final variable with this key, which nothing below it can override; \
         remove it there, or take the mark `final` from it"
    )]
    Final { level: &'static str },
    #[error("there are at most {limit} variables; delete some first")]
    TooMany { limit: i64 },
    #[error("the variable was changed by someone else meanwhile; read it again and repeat")]
    Changed,
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl VariableError {
    /// A wrong attribute `field` (its name on the wire).
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            pointer: format!("/data/attributes/{field}"),
            detail: detail.into(),
        }
    }
}

impl From<db::Error> for VariableError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for VariableError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for VariableError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "variables.not-found",
            Self::Denied(denied) => denied.code(),
            Self::Invalid { .. } => "variables.invalid",
            Self::KeyTaken => "variables.key-taken",
            Self::Final { .. } => "variables.final-above",
            Self::StaysSensitive => "variables.stays-sensitive",
            Self::TooMany { .. } => "variables.too-many",
            Self::Changed => "variables.changed-meanwhile",
            Self::Workspace(error) => error.code(),
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            Self::Invalid { .. }
            | Self::KeyTaken
            | Self::Final { .. }
            | Self::StaysSensitive
            | Self::TooMany { .. } => Kind::Invalid,
            Self::Changed => Kind::Conflict,
            Self::Workspace(error) => error.kind(),
            Self::Fault(fault) => fault.kind(),
        }
    }

    fn pointer(&self) -> Option<&str> {
        match self {
            Self::Invalid { pointer, .. } => Some(pointer),
            Self::KeyTaken | Self::Final { .. } => Some("/data/attributes/key"),
            Self::StaysSensitive => Some("/data/attributes/sensitive"),
            Self::Workspace(error) => error.pointer(),
            Self::NotFound
            | Self::Denied(_)
            | Self::TooMany { .. }
            | Self::Changed
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
