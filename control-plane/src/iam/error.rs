//! What can go wrong with users, tokens and signing in.

use super::authorize::Denied;
use crate::problem::{Fault, Kind, Problem};

#[derive(Debug, thiserror::Error)]
pub enum IamError {
    #[error("not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("{detail}")]
    Invalid { field: &'static str, detail: String },
    #[error("user name or password is wrong")]
    WrongPassword,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<db::Error> for IamError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for IamError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for IamError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "iam.not-found",
            Self::Denied(denied) => denied.code(),
            Self::Invalid { .. } => "iam.invalid",
            Self::WrongPassword => "iam.wrong-password",
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            Self::Invalid { .. } => Kind::Invalid,
            Self::WrongPassword => Kind::Unauthenticated,
            Self::Fault(fault) => fault.kind(),
        }
    }

    fn pointer(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } => Some(field),
            _ => None,
        }
    }

    fn denied(&self) -> Option<&Denied> {
        match self {
            Self::Denied(denied) => Some(denied),
            _ => None,
        }
    }
}
