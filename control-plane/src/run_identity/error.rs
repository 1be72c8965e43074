//! What can go wrong with the identity of runs.

use crate::iam::Denied;
use crate::problem::{Fault, Kind, Problem};

#[derive(Debug, thiserror::Error)]
pub enum RunIdentityError {
    #[error("not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("a key can't be made: {0}")]
    Key(String),
    #[error("a token can't be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<db::Error> for RunIdentityError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for RunIdentityError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for RunIdentityError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "run-identity.not-found",
            Self::Denied(denied) => denied.code(),
            Self::Key(_) | Self::Sign(_) => "run-identity.unusable-key",
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            Self::Key(_) | Self::Sign(_) => Kind::Internal,
            Self::Fault(fault) => fault.kind(),
        }
    }

    fn denied(&self) -> Option<&Denied> {
        match self {
            Self::Denied(denied) => Some(denied),
            Self::NotFound | Self::Key(_) | Self::Sign(_) | Self::Fault(_) => None,
        }
    }
}
