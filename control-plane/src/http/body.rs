//! Bounded, strict reading of request bodies: errors name the field and the remedy.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use super::attributes::{
    Attributes, Path, check_ignored, check_type, check_types, path_of, pointer,
};
use super::error::ApiError;
use super::jsonapi::{Input, InputData, Inputs};
use crate::problem::Kind;

/// Largest JSON body of an ordinary request, in bytes. State and archives have ways of their own.
pub const MAX_JSON: usize = 2 * 1024 * 1024;

/// Reads `bytes` as JSON.
///
/// # Errors
/// 400 when it is no JSON, 422 with a pointer when a field is wrong.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    parse_noting(bytes, |_| {})
}

/// [`parse_json`]; `read_over` is told what `T` has no place for.
fn parse_noting<T: DeserializeOwned>(
    bytes: &[u8],
    mut read_over: impl FnMut(Path),
) -> Result<T, ApiError> {
    if has_nul(bytes) {
        return Err(ApiError::nul_character());
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
    let parsed = serde_ignored::deserialize(tracked, |path| read_over(path_of(&path)));
    parsed.map_err(|error| {
        if error.is_data() {
            let place = pointer(&path_of_error(&track.path()));
            ApiError::new(Kind::Invalid, "request.invalid-field", error.to_string()).at(place)
        } else {
            ApiError::new(
                Kind::Malformed,
                "request.malformed-json",
                format!("the body is no valid JSON: {error}"),
            )
        }
    })
}

/// Where in a document an error was found.
fn path_of_error(found: &serde_path_to_error::Path) -> Path {
    use serde_path_to_error::Segment;
    let steps = found.iter().filter_map(|step| match step {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    steps.collect()
}

/// What of an object is looked at before anything else: attributes of another type would be
/// complained about for the wrong reason.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Typed {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// A document's data in that view, `None` if it can't be read or there is none.
fn peek<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    #[derive(serde::Deserialize)]
    struct Peek<T> {
        data: Option<T>,
    }
    serde_json::from_slice::<Peek<T>>(bytes).ok()?.data
}

/// Reads a document, checks what it doesn't hold against what `A` says.
fn parse_checked<T: DeserializeOwned, A: Attributes>(
    bytes: &[u8],
    attributes: usize,
) -> Result<T, ApiError> {
    let mut ignored = Vec::new();
    let parsed = parse_noting(bytes, |path| ignored.push(path))?;
    ignored.retain(|path| match attributes.checked_sub(1) {
        Some(at) => path.get(at).is_some_and(|step| step == "attributes"),
        None => true,
    });
    if !ignored.is_empty() {
        check_ignored::<A>(&parse_json(bytes)?, &ignored, attributes)?;
    }
    Ok(parsed)
}

fn parse_one<A: Attributes>(bytes: &[u8]) -> Result<InputData<A>, ApiError> {
    if let Some(object) = peek::<Typed>(bytes) {
        check_type(A::TYPES, object.kind.as_deref(), "/data")?;
    }
    let data = parse_checked::<Input<A>, A>(bytes, 2)?.data;
    check_types(&data, "/data")?;
    Ok(data)
}

fn parse_many<A: Attributes>(bytes: &[u8]) -> Result<Vec<InputData<A>>, ApiError> {
    if is_blank(bytes) {
        return Ok(Vec::new());
    }
    for (at, object) in peek::<Vec<Typed>>(bytes).iter().flatten().enumerate() {
        check_type(A::TYPES, object.kind.as_deref(), &format!("/data/{at}"))?;
    }
    let list = parse_checked::<Inputs<A>, A>(bytes, 3)?.data;
    for (at, data) in list.iter().enumerate() {
        check_types(data, &format!("/data/{at}"))?;
    }
    Ok(list)
}

fn parse_optional<A: Attributes>(bytes: &[u8]) -> Result<InputData<A>, ApiError> {
    if is_blank(bytes) {
        return Ok(InputData::default());
    }
    if peek::<serde::de::IgnoredAny>(bytes).is_some() {
        return parse_one(bytes);
    }
    let attributes = parse_checked::<A, A>(bytes, 0)?;
    Ok(InputData {
        attributes,
        ..Default::default()
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

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
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

impl<A: Attributes, S: Send + Sync> FromRequest<S> for Body<A> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        parse_one(&read(request, state).await?).map(Self)
    }
}

/// A [`Body`] that may be missing, or be the bare attributes: clients send all three to addresses
/// that need nothing.
pub struct OptionalBody<A>(pub InputData<A>);

impl<A: Attributes, S: Send + Sync> FromRequest<S> for OptionalBody<A> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        parse_optional(&read(request, state).await?).map(Self)
    }
}

/// A JSON:API request body with a list of objects.
pub struct ListBody<A>(pub Vec<InputData<A>>);

impl<A: Attributes, S: Send + Sync> FromRequest<S> for ListBody<A> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        parse_many(&read(request, state).await?).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::attributes::Words;
    use super::*;

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(default)]
    struct Named {
        name: String,
        inner: Option<Inner>,
    }

    #[derive(Debug, Default, serde::Deserialize)]
    struct Inner {
        #[expect(dead_code, reason = "only its name is read")]
        url: Option<String>,
    }

    impl Attributes for Named {
        const TYPES: &'static [&'static str] = &["things", "old-things"];
        const WITHOUT_EFFECT: Words = &[
            ("mode", &["remote"]),
            ("sources", &[]),
            ("shown", &["true"]),
        ];
        const IGNORED: &'static [&'static str] = &["chatter"];
        const RELATIONS: Words = &[("home", &["places", "old-places"])];
    }

    fn refusal(attributes: &str) -> (String, &'static str) {
        let text = format!(r#"{{"data":{{"attributes":{attributes}}}}}"#);
        let error = parse_one::<Named>(text.as_bytes()).unwrap_err();
        assert_eq!(error.status, http::StatusCode::UNPROCESSABLE_ENTITY);
        (error.pointer.unwrap(), error.code)
    }

    fn taken(attributes: &str) -> Named {
        let text = format!(r#"{{"data":{{"attributes":{attributes},"links":{{"a":1}}}}}}"#);
        parse_one::<Named>(text.as_bytes()).unwrap().attributes
    }

    #[test]
    fn what_stands_beside_the_object_is_read_over() {
        let text = br#"{"meta":{"a":1},"data":{"name":1,"meta":{"attributes":1}},"jsonapi":{}}"#;
        parse_one::<Named>(text).unwrap();
        parse_many::<Named>(br#"{"meta":{},"data":[{"links":{}}]}"#).unwrap();
    }

    #[test]
    fn a_list_is_no_object() {
        for text in [
            r#"{"data":[]}"#,
            r#"{"data":["things"]}"#,
            r#"{"data":{"attributes":["a"]}}"#,
        ] {
            let error = parse_one::<Named>(text.as_bytes()).unwrap_err();
            assert_eq!(error.code, "request.invalid-field", "{text}");
        }
        parse_many::<Named>(br#"{"data":[["bananas","a"]]}"#).unwrap_err();
    }

    #[test]
    fn a_wrong_type_is_named_by_its_pointer() {
        assert_eq!(
            refusal(r#"{"name":3}"#),
            ("/data/attributes/name".to_owned(), "request.invalid-field")
        );
    }

    #[test]
    fn an_object_of_another_type_is_refused_before_its_attributes_are_read() {
        let of = |kind: &str| {
            let text = format!(r#"{{"data":{{"attributes":{{"name":3}},"type":{kind}}}}}"#);
            parse_one::<Named>(text.as_bytes()).unwrap_err().code
        };
        assert_eq!(of(r#""bananas""#), "request.wrong-type");
        for kind in [r#""""#, "null", r#""things""#, r#""old-things""#, "1"] {
            assert_eq!(of(kind), "request.invalid-field", "{kind}");
        }
        let text = br#"{"data":[{"type":"things"},{"type":"bananas"}]}"#;
        let error = parse_many::<Named>(text).unwrap_err();
        assert_eq!(error.pointer.as_deref(), Some("/data/1/type"));
        let text = br#"{"data":[{},{"attributes":{"name":3}}]}"#;
        let error = parse_many::<Named>(text).unwrap_err();
        assert_eq!(error.pointer.as_deref(), Some("/data/1/attributes/name"));
    }

    #[test]
    fn a_relationship_to_another_type_is_refused() {
        let read = |data: &str| {
            let text = format!(r#"{{"data":{{"relationships":{{"home":{{"data":{data}}}}}}}}}"#);
            parse_one::<Named>(text.as_bytes())
        };
        for (data, pointer) in [
            (r#"{"type":"bananas","id":"a"}"#, "type"),
            (
                r#"[{"type":"places","id":"a"},{"type":"bananas","id":"b"}]"#,
                "1/type",
            ),
        ] {
            let error = read(data).unwrap_err();
            let place = format!("/data/relationships/home/data/{pointer}");
            assert_eq!(error.pointer, Some(place));
            assert!(
                error.detail.contains("\"places\", not \"bananas\""),
                "{}",
                error.detail
            );
        }
        for data in [
            "null",
            "[]",
            r#"{"id":"a"}"#,
            r#"{"type":"","id":"a"}"#,
            r#"{"type":"old-places","id":"a"}"#,
        ] {
            read(data).unwrap();
        }
    }

    #[test]
    fn what_would_have_no_effect_is_refused_by_name() {
        for asks in [
            r#"{"mode":"local"}"#,
            r#"{"mode":true}"#,
            r#"{"mode":{"a":[1]}}"#,
        ] {
            assert_eq!(
                refusal(asks),
                ("/data/attributes/mode".to_owned(), "request.without-effect")
            );
        }
        assert_eq!(
            refusal(r#"{"shown":false}"#),
            (
                "/data/attributes/shown".to_owned(),
                "request.without-effect"
            )
        );
        let unknown = "request.unknown-attribute";
        assert_eq!(
            refusal(r#"{"nmae":""}"#),
            ("/data/attributes/nmae".to_owned(), unknown)
        );
        assert_eq!(
            refusal(r#"{"a/b~":1}"#),
            ("/data/attributes/a~1b~0".to_owned(), unknown)
        );
        assert_eq!(
            refusal(r#"{"inner":{"url":"a","uri":"b"}}"#),
            ("/data/attributes/inner/uri".to_owned(), unknown)
        );
    }

    #[test]
    fn what_asks_for_nothing_is_taken() {
        let taken = taken(
            r#"{"mode":"remote","sources":[],"chatter":7,"unheard-of":null,"name":"a",
                "inner":{"url":null,"none":null}}"#,
        );
        assert_eq!(taken.name, "a");
        assert!(taken.inner.is_some());
        for text in [
            r#"{"mode":null}"#,
            r#"{"mode":{"a":false,"b":""}}"#,
            r#"{"shown":true}"#,
        ] {
            self::taken(text);
        }
    }

    #[test]
    fn an_optional_body_may_be_missing_or_bare() {
        for (text, name) in [
            ("", ""),
            (" \n", ""),
            ("{}", ""),
            (r#"{"name":"a"}"#, "a"),
            (r#"{"data":{"attributes":{"name":"a"},"type":""}}"#, "a"),
            (r#"{"data":null}"#, ""),
        ] {
            let read = parse_optional::<Named>(text.as_bytes()).unwrap();
            assert_eq!(read.attributes.name, name, "{text}");
        }
        let error = parse_optional::<Named>(br#"{"nmae":"a"}"#).unwrap_err();
        assert_eq!(error.pointer.as_deref(), Some("/nmae"));
    }

    #[test]
    fn a_nul_character_is_refused_and_a_written_one_is_not() {
        assert!(has_nul(br#"{"a":"x\u0000"}"#) && has_nul(br#"{"a":"x\\\u0000"}"#));
        assert!(!has_nul(br#"{"a":"x\\u0000"}"#));
    }

    #[test]
    fn garbage_is_malformed() {
        let error = parse_one::<Named>(b"\x00\x01").unwrap_err();
        assert_eq!(error.status, http::StatusCode::BAD_REQUEST);
    }
}
