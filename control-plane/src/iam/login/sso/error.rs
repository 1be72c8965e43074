//! Why nobody was signed in through a provider. The person sees the text.

use http::StatusCode;

use crate::iam::IamError;
use crate::iam::identity::{IdentityError, Refused};
use crate::iam::login::oidc::OidcError;
use crate::problem::Fault;

#[derive(Debug, thiserror::Error)]
pub(super) enum SsoError {
    #[error("there is no such identity provider here, or it is switched off")]
    NoProvider,
    #[error(
        "this answer does not belong to a sign-in of this browser, or it took too long; start again"
    )]
    Foreign,
    #[error("this link is used up, too old, or not of this provider; ask for a new one")]
    Ticket,
    #[error("{0}")]
    Oidc(#[from] OidcError),
    #[error("{0}")]
    Refused(#[from] Refused),
    #[error(transparent)]
    Failed(#[from] IdentityError),
}

impl From<db::Error> for SsoError {
    fn from(error: db::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Fault> for SsoError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.into())
    }
}

impl From<IamError> for SsoError {
    fn from(error: IamError) -> Self {
        Self::Failed(error.into())
    }
}

impl SsoError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoProvider => StatusCode::NOT_FOUND,
            Self::Foreign | Self::Ticket => StatusCode::BAD_REQUEST,
            Self::Oidc(_) => StatusCode::BAD_GATEWAY,
            Self::Refused(Refused::Failed(_)) | Self::Failed(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Refused(_) => StatusCode::FORBIDDEN,
        }
    }

    /// What the page says.
    pub(super) fn shown(&self) -> String {
        if self.status() == StatusCode::INTERNAL_SERVER_ERROR {
            return "the server failed; try again shortly".to_owned();
        }
        self.to_string()
    }
}
