//! Bounded, strict reading of request bodies: errors name the field and the remedy.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::jsonapi::{Input, InputData};
use crate::problem::Kind;

/// Largest JSON body of an ordinary request, in bytes. State and archives have ways of their own.
pub const MAX_JSON: usize = 2 * 1024 * 1024;

/// Reads `bytes` as JSON.
///
/// # Errors
/// 400 when it is no JSON, 422 with a pointer when a field is wrong.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if has_nul(bytes) {
        return Err(ApiError::nul_character());
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            let pointer = if path == "." {
                "/".to_owned()
            } else {
                format!("/{}", path.replace('.', "/"))
            };
            ApiError::new(Kind::Invalid, "request.invalid-field", inner.to_string()).at(pointer)
        } else {
            ApiError::new(
                Kind::Malformed,
                "request.malformed-json",
                format!("the body is no valid JSON: {inner}"),
            )
        }
    })
}

/// Whether some string holds U+0000, which PostgreSQL can't store. (JSON allows it escaped only.)
fn has_nul(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.windows(6).position(|it| it == br"\u0000") {
        let escapes = rest[..at]
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count();
        if escapes % 2 == 0 {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| {
            let kind = if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE {
                Kind::TooLarge
            } else {
                Kind::Malformed
            };
            ApiError::new(kind, "request.unreadable-body", rejection.body_text())
        })
}

/// A JSON:API request body with attributes `A`; see [`InputData`].
pub struct Body<A>(pub InputData<A>);

impl<A: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for Body<A> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = read(request, state).await?;
        parse_json::<Input<A>>(&bytes).map(|input| Self(input.data))
    }
}

/// A bare JSON body, or nothing at all: what the CLI sends to action endpoints.
pub struct Plain<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for Plain<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = read(request, state).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(T::default()));
        }
        parse_json(&bytes).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, serde::Deserialize)]
    struct Attributes {
        #[expect(dead_code, reason = "only its type is read")]
        name: String,
    }

    #[test]
    fn a_wrong_type_is_named_by_its_pointer() {
        let error =
            parse_json::<Input<Attributes>>(br#"{"data":{"attributes":{"name":3}}}"#).unwrap_err();
        assert_eq!(error.pointer.as_deref(), Some("/data/attributes/name"));
        assert_eq!(error.status, http::StatusCode::UNPROCESSABLE_ENTITY);
    }

    #[test]
    fn a_nul_character_is_refused_and_a_written_one_is_not() {
        assert!(has_nul(br#"{"a":"x\u0000"}"#) && has_nul(br#"{"a":"x\\\u0000"}"#));
        assert!(!has_nul(br#"{"a":"x\\u0000"}"#));
    }

    #[test]
    fn garbage_is_malformed() {
        let error = parse_json::<Input<Attributes>>(b"\x00\x01").unwrap_err();
        assert_eq!(error.status, http::StatusCode::BAD_REQUEST);
    }
}
