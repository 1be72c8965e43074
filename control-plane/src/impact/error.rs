//! What can go wrong with an impact analysis.

use policy::worker::WorkerError;

use crate::iam::Denied;
use crate::policies::PolicyError;
use crate::problem::{Fault, Kind, Problem};
use crate::runs::RunError;

#[derive(Debug, thiserror::Error)]
pub enum ImpactError {
    #[error("impact analysis not found, or not visible to this token")]
    NotFound,
    #[error("{detail}")]
    Invalid { pointer: String, detail: String },
    #[error("the revision is in force already, so it would change nothing; name a proposed one")]
    InForce,
    #[error("the revision has no files yet; upload its archive first")]
    NoArchive,
    #[error(
        "{limit} analyses of this group are waiting or at work, which is as many as may be; wait \
         until one has finished"
    )]
    TooMany { limit: i64 },
    #[error("the policy worker can't be used")]
    Worker(#[from] WorkerError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl ImpactError {
    pub(super) fn invalid(pointer: &str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            pointer: pointer.to_owned(),
            detail: detail.into(),
        }
    }
}

impl From<db::Error> for ImpactError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl Problem for ImpactError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "impact.not-found",
            Self::Invalid { .. } => "impact.invalid",
            Self::InForce => "impact.in-force",
            Self::NoArchive => "impact.no-archive",
            Self::TooMany { .. } => "impact.too-many",
            Self::Worker(_) => "policies.no-worker",
            Self::Policy(error) => error.code(),
            Self::Run(error) => error.code(),
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Invalid { .. } => Kind::Invalid,
            Self::InForce | Self::NoArchive | Self::TooMany { .. } => Kind::Conflict,
            Self::Worker(_) => Kind::Internal,
            Self::Policy(error) => error.kind(),
            Self::Run(error) => error.kind(),
            Self::Fault(fault) => fault.kind(),
        }
    }

    fn pointer(&self) -> Option<&str> {
        if let Self::Invalid { pointer, .. } = self {
            return Some(pointer);
        }
        if let Self::Policy(error) = self {
            return error.pointer();
        }
        None
    }

    fn denied(&self) -> Option<&Denied> {
        if let Self::Policy(error) = self {
            return error.denied();
        }
        None
    }
}
