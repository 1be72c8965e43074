//! What can go wrong with identity providers.

use crate::iam::{Denied, IamError};
use crate::problem::{Fault, Kind, Problem};

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("{detail}")]
    Invalid { field: String, detail: String },
    #[error("the account has an identity provider of this name already; choose another")]
    NameTaken,
    #[error("an account has at most {limit} identity providers; delete one that nobody uses")]
    TooMany { limit: i64 },
    #[error(
        "sign-in is enforced and this is the last provider that members could use; switch \
         enforcement off first"
    )]
    LastProvider,
    #[error(
        "no enabled identity provider of the account has passed a test sign-in; make one with \
         POST identity-providers/ID/actions/verify"
    )]
    NotVerified,
    #[error("name at least one user who may go on signing in with a password")]
    NoBypassUser,
    #[error(transparent)]
    Iam(#[from] IamError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl IdentityError {
    /// A wrong attribute of the object in the request.
    pub fn invalid(attribute: &str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            field: format!("/data/attributes/{attribute}"),
            detail: detail.into(),
        }
    }
}

impl From<db::Error> for IdentityError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for IdentityError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for IdentityError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "identity.not-found",
            Self::Denied(denied) => denied.code(),
            Self::Invalid { .. } => "identity.invalid",
            Self::NameTaken => "identity.name-taken",
            Self::TooMany { .. } => "identity.too-many-providers",
            Self::LastProvider => "identity.last-provider",
            Self::NotVerified => "identity.not-verified",
            Self::NoBypassUser => "identity.no-bypass-user",
            Self::Iam(error) => error.code(),
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            Self::Invalid { .. } | Self::NameTaken | Self::NoBypassUser => Kind::Invalid,
            Self::TooMany { .. } | Self::LastProvider | Self::NotVerified => Kind::Conflict,
            Self::Iam(error) => error.kind(),
            Self::Fault(fault) => fault.kind(),
        }
    }

    fn pointer(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } => Some(field),
            Self::NameTaken => Some("/data/attributes/name"),
            Self::NoBypassUser => Some("/data/relationships/bypass-users"),
            Self::Iam(error) => error.pointer(),
            Self::NotFound
            | Self::Denied(_)
            | Self::TooMany { .. }
            | Self::LastProvider
            | Self::NotVerified
            | Self::Fault(_) => None,
        }
    }

    fn denied(&self) -> Option<&Denied> {
        match self {
            Self::Denied(denied) => Some(denied),
            Self::Iam(error) => error.denied(),
            Self::NotFound
            | Self::Invalid { .. }
            | Self::NameTaken
            | Self::TooMany { .. }
            | Self::LastProvider
            | Self::NotVerified
            | Self::NoBypassUser
            | Self::Fault(_) => None,
        }
    }
}
