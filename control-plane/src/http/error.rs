//! The one place where an error becomes a response: JSON:API errors with a stable `code`.
//!
//! Shape: TFE contract, section 4. A fault of ours is logged here, where it stops travelling, with
//! its chain; the caller gets the request id to quote.

use std::error::Error;
use std::fmt::Write as _;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::iam::Denied;
use crate::problem::{Kind, Problem};

/// The media type of everything below `/api/v2`.
pub const JSON_API: &str = "application/vnd.api+json";

/// An error on its way out.
#[derive(Debug)]
pub struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub title: &'static str,
    pub detail: String,
    pub pointer: Option<String>,
    /// What was refused, for the audit log.
    pub denied: Option<Denied>,
}

pub type ApiResult<T> = Result<T, ApiError>;

/// JSON:API error document.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorDocument {
    pub errors: Vec<ErrorObject>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorObject {
    /// The HTTP status, as a string.
    pub status: String,
    /// Stable; each code has a page in the documentation.
    pub code: &'static str,
    pub title: &'static str,
    pub detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<ErrorSource>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorSource {
    /// JSON pointer into the request.
    pub pointer: String,
}

impl ApiError {
    pub fn new(kind: Kind, code: &'static str, detail: impl Into<String>) -> Self {
        let (status, title) = status_of(kind);
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            pointer: None,
            denied: None,
        }
    }

    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// The answer to text that no database of ours can hold.
    pub fn nul_character() -> Self {
        Self::new(
            Kind::Malformed,
            "request.nul-character",
            "the request holds the character U+0000; leave it out",
        )
    }

    /// The answer for what is absent or not visible.
    pub fn not_found() -> Self {
        Self::new(
            Kind::NotFound,
            "request.not-found",
            "not found, or not visible to this token",
        )
    }
}

fn status_of(kind: Kind) -> (StatusCode, &'static str) {
    match kind {
        Kind::Malformed => (StatusCode::BAD_REQUEST, "bad request"),
        Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthorized"),
        Kind::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
        Kind::NotFound => (StatusCode::NOT_FOUND, "not found"),
        Kind::Conflict => (StatusCode::CONFLICT, "conflict"),
        Kind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid attribute"),
        Kind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too large"),
        Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "service unavailable"),
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
    }
}

impl<E: Problem> From<E> for ApiError {
    fn from(error: E) -> Self {
        let kind = error.kind();
        let mut answer = Self::new(kind, error.code(), error.to_string());
        answer.pointer = error.pointer().map(str::to_owned);
        answer.denied = error.denied().cloned();
        if kind == Kind::NotFound {
            // The same words for what is absent and for what may not be seen.
            return Self {
                denied: answer.denied,
                ..Self::not_found()
            };
        }
        if matches!(kind, Kind::Internal | Kind::Unavailable) {
            tracing::error!(
                code = error.code(),
                error = chain(&error),
                "a request failed"
            );
            answer.detail = if kind == Kind::Unavailable {
                "the service is unavailable, try again shortly".to_owned()
            } else {
                "the server failed; its log has the cause under this request id".to_owned()
            };
        }
        answer
    }
}

/// An error and what caused it, in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorDocument {
            errors: vec![ErrorObject {
                status: self.status.as_u16().to_string(),
                code: self.code,
                title: self.title,
                detail: self.detail,
                source: self.pointer.map(|pointer| ErrorSource { pointer }),
            }],
        };
        let mut response = (self.status, Json(body)).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON_API));
        if let Some(denied) = self.denied {
            response.extensions_mut().insert(denied);
        }
        response
    }
}
