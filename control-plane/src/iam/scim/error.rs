//! What a provisioning client is told (RFC 7644, section 3.12).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::http::error::chain;
use crate::iam::IamError;
use crate::iam::identity::Refused;
use crate::problem::{Fault, Kind, Problem};

/// The media type of everything below `/scim`.
pub(super) const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");

#[derive(Debug, thiserror::Error)]
pub(super) enum ScimError {
    #[error("a valid provisioning token of this identity provider is needed")]
    Unauthenticated,
    #[error("no such resource")]
    NotFound,
    #[error(
        "the filter can't be used; use `ATTRIBUTE eq \"VALUE\"`, several joined by `and`, of \
         userName, externalId, displayName, emails.value, id and members"
    )]
    InvalidFilter,
    #[error("the body can't be read: {0}")]
    InvalidSyntax(String),
    #[error("{attribute}: {detail}")]
    InvalidValue {
        attribute: &'static str,
        detail: &'static str,
    },
    #[error("the provider has somebody or something of this name or external id already")]
    Uniqueness,
    #[error(
        "this member may sign in whatever the provider says (bypass user); an administrator has to \
         take them off that list first"
    )]
    BypassUser,
    #[error(transparent)]
    Failed(#[from] IamError),
}

impl From<db::Error> for ScimError {
    fn from(error: db::Error) -> Self {
        if error.is_unique_violation() {
            return Self::Uniqueness;
        }
        Self::Failed(error.into())
    }
}

impl From<Fault> for ScimError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.into())
    }
}

impl From<Refused> for ScimError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Failed(error) => Self::Failed(error),
            Refused::NoSubject | Refused::Unknown | Refused::Suspended => Self::NotFound,
        }
    }
}

impl ScimError {
    fn parts(&self) -> (StatusCode, Option<&'static str>) {
        match self {
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, None),
            Self::NotFound => (StatusCode::NOT_FOUND, None),
            Self::InvalidFilter => (StatusCode::BAD_REQUEST, Some("invalidFilter")),
            Self::InvalidSyntax(_) => (StatusCode::BAD_REQUEST, Some("invalidSyntax")),
            Self::InvalidValue { .. } => (StatusCode::BAD_REQUEST, Some("invalidValue")),
            Self::Uniqueness => (StatusCode::CONFLICT, Some("uniqueness")),
            Self::BypassUser => (StatusCode::BAD_REQUEST, Some("mutability")),
            Self::Failed(error) => match error.kind() {
                Kind::Invalid => (StatusCode::BAD_REQUEST, Some("invalidValue")),
                Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
                Kind::Malformed
                | Kind::Unauthenticated
                | Kind::Forbidden
                | Kind::NotFound
                | Kind::Conflict
                | Kind::TooLarge
                | Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, None),
            },
        }
    }
}

impl IntoResponse for ScimError {
    fn into_response(self) -> Response {
        let (status, kind) = self.parts();
        let detail = if status.is_server_error() {
            tracing::error!(error = chain(&self), "provisioning failed");
            "the server failed; its log has the cause under this request id".to_owned()
        } else {
            self.to_string()
        };
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": status.as_u16().to_string(), "detail": detail,
        });
        if let Some(kind) = kind {
            body["scimType"] = json!(kind);
        }
        let mut response = (status, Json(body)).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, SCIM_JSON);
        response
    }
}
