//! What can go wrong with accounts, environments and projects.

use crate::iam::Denied;
use crate::problem::{Fault, Kind, Problem};

#[derive(Debug, thiserror::Error)]
pub enum TenancyError {
    #[error("not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("{detail}")]
    Invalid { field: &'static str, detail: String },
    #[error("Name has already been taken")]
    NameTaken,
    #[error("it still has workspaces; delete or move them first")]
    NotEmpty,
    #[error("the default project can't be deleted")]
    DefaultProject,
    #[error("its teams make the account's only administrators; make another one first")]
    LastAdministrator,
    #[error("it was changed by someone else meanwhile; read it again and repeat")]
    Changed,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<db::Error> for TenancyError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for TenancyError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for TenancyError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "tenancy.not-found",
            Self::Denied(denied) => denied.code(),
            Self::Invalid { .. } => "tenancy.invalid",
            Self::NameTaken => "tenancy.name-taken",
            Self::NotEmpty => "tenancy.not-empty",
            Self::DefaultProject => "tenancy.default-project",
            Self::LastAdministrator => "iam.last-administrator",
            Self::Changed => "tenancy.changed-meanwhile",
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            Self::Invalid { .. } | Self::NameTaken => Kind::Invalid,
            Self::NotEmpty | Self::DefaultProject | Self::LastAdministrator | Self::Changed => {
                Kind::Conflict
            }
            Self::Fault(fault) => fault.kind(),
        }
    }

    fn pointer(&self) -> Option<&str> {
        if let Self::Invalid { field, .. } = self {
            return Some(field);
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
