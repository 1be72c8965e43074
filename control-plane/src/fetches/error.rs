//! What can go wrong with a fetch before a runner has it; what a runner reports is no error here.

use crate::objects::ObjectError;
use crate::problem::{Fault, Kind, Problem};

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("the account has no runner pool; create one and join a runner to it")]
    NoPool,
    #[error("no such runner pool in this account; name one of its pools, or none for the default")]
    UnknownPool,
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<db::Error> for FetchError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl Problem for FetchError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoPool => "fetches.no-pool",
            Self::UnknownPool => "fetches.unknown-pool",
            Self::Object(error) => error.code(),
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NoPool | Self::UnknownPool => Kind::Invalid,
            Self::Object(error) => error.kind(),
            Self::Fault(fault) => fault.kind(),
        }
    }
}
