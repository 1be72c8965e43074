//! What can go wrong with pools, join tokens and a runner's identity.

use crate::iam::Denied;
use crate::problem::{Fault, Kind, Problem};

#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    #[error("not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("{detail}")]
    Invalid { pointer: String, detail: String },
    #[error("Name has already been taken")]
    NameTaken,
    #[error("the pool is in use by {users}; move them to another pool first")]
    PoolInUse { users: String },
    #[error("the account's default pool can't be deleted")]
    DefaultPool,
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

impl RunnerError {
    /// A wrong attribute `field` (its name on the wire).
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            pointer: format!("/data/attributes/{field}"),
            detail: detail.into(),
        }
    }
}

impl From<db::Error> for RunnerError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for RunnerError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for RunnerError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "runners.not-found",
            Self::Denied(denied) => denied.code(),
            Self::Invalid { .. } => "runners.invalid",
            Self::NameTaken => "runners.name-taken",
            Self::PoolInUse { .. } => "runners.pool-in-use",
            Self::DefaultPool => "runners.default-pool",
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
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            Self::Invalid { .. } | Self::NameTaken => Kind::Invalid,
            Self::PoolInUse { .. } | Self::DefaultPool => Kind::Conflict,
            Self::BadToken => Kind::Unauthenticated,
            Self::BadRequest(_) => Kind::Malformed,
            Self::Revoked | Self::Unknown => Kind::Forbidden,
            Self::Authority(_) => Kind::Internal,
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
