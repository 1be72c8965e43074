//! What can go wrong with a runner's identity.

use crate::problem::{Fault, Kind, Problem};

#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    #[error("the join token is unknown, used up, expired or revoked; make a new one for the pool")]
    BadToken,
    #[error("the certificate request can't be used: {0}")]
    BadRequest(#[source] link::ca::CaError),
    #[error("this runner has been revoked; join it anew with a token of its pool")]
    Revoked,
    #[error("this runner is not known here; join it anew with a token of its pool")]
    Unknown,
    #[error("the runner certificate authority failed")]
    Authority(#[source] link::ca::CaError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<db::Error> for RunnerError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl Problem for RunnerError {
    fn code(&self) -> &'static str {
        match self {
            Self::BadToken => "runners.bad-join-token",
            Self::BadRequest(_) => "runners.bad-certificate-request",
            Self::Revoked => "runners.revoked",
            Self::Unknown => "runners.unknown",
            Self::Authority(_) => "runners.authority",
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::BadToken => Kind::Unauthenticated,
            Self::BadRequest(_) => Kind::Malformed,
            Self::Revoked | Self::Unknown => Kind::Forbidden,
            Self::Authority(_) => Kind::Internal,
            Self::Fault(fault) => fault.kind(),
        }
    }
}
