//! What can go wrong with a second factor.

use crate::iam::{Denied, IamError};
use crate::problem::{Fault, Kind, Problem};

#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    #[error("not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("a second factor is in force already; delete it first")]
    InForce,
    #[error("the code is wrong or too old: look at the clock of the device, and use the next code")]
    WrongCode,
    #[error(transparent)]
    Iam(#[from] IamError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<db::Error> for FactorError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for FactorError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for FactorError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "second-factor.not-found",
            Self::Denied(denied) => denied.code(),
            Self::InForce => "second-factor.in-force",
            Self::WrongCode => "second-factor.wrong-code",
            Self::Iam(error) => error.code(),
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            Self::InForce => Kind::Conflict,
            Self::WrongCode => Kind::Invalid,
            Self::Iam(error) => error.kind(),
            Self::Fault(fault) => fault.kind(),
        }
    }

    fn pointer(&self) -> Option<&str> {
        match self {
            Self::WrongCode => Some("/data/attributes/code"),
            Self::Iam(error) => error.pointer(),
            Self::NotFound | Self::Denied(_) | Self::InForce | Self::Fault(_) => None,
        }
    }

    fn denied(&self) -> Option<&Denied> {
        match self {
            Self::Denied(denied) => Some(denied),
            Self::Iam(error) => error.denied(),
            Self::NotFound | Self::InForce | Self::WrongCode | Self::Fault(_) => None,
        }
    }
}
