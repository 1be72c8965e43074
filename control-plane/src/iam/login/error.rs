//! What can go wrong with signing in, and with exchanging a code (RFC 6749, section 5.2).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use crate::clock::Timestamp;
use crate::http::error::chain;
use crate::iam::IamError;

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignInError {
    #[error("User name or password is wrong.")]
    WrongPassword,
    /// Said only to who knows the password. The attempt counts.
    #[error("The one-time code is missing, wrong, or used already.")]
    WrongCode,
    /// Said only to who knows the password.
    #[error("This account signs in through its identity provider. Use its button.")]
    ProviderOnly,
    #[error("Too many attempts. Wait a moment, then try again.")]
    TooManyAttempts { until: Timestamp },
    #[error(transparent)]
    Failed(#[from] IamError),
}

impl From<db::Error> for SignInError {
    fn from(error: db::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Why there is no token for a code.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    #[error("{0}")]
    InvalidRequest(&'static str),
    #[error("the client is unknown")]
    InvalidClient,
    #[error("only the grant type authorization_code is known here")]
    UnsupportedGrantType,
    #[error("the code is unknown, used or expired, or was not given for this request")]
    InvalidGrant,
    #[error("the server failed; try `terraform login` again")]
    Failed(#[source] IamError),
}

impl From<IamError> for ExchangeError {
    fn from(error: IamError) -> Self {
        Self::Failed(error)
    }
}

impl From<db::Error> for ExchangeError {
    fn from(error: db::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl ExchangeError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Self::InvalidGrant => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Self::Failed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        }
    }
}

impl IntoResponse for ExchangeError {
    fn into_response(self) -> Response {
        let (status, word) = self.parts();
        if let Self::Failed(_) = &self {
            tracing::error!(error = chain(&self), "a code could not be exchanged");
        }
        (
            status,
            Json(json!({ "error": word, "error_description": self.to_string() })),
        )
            .into_response()
    }
}
