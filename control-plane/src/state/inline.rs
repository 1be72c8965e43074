//! The body of a create: JSON that may carry a whole state in base64. It is read as a stream, so that
//! a state of any size goes from the socket to the object store without ever being held.

use std::io::{self, Read};

use axum::body::Body;
use base64::engine::general_purpose::STANDARD;
use base64::read::DecoderReader;
use domain::Secret;
use futures::TryStreamExt;
use struson::reader::{JsonReader, JsonStreamReader, ReaderError, ReaderSettings, ValueType};
use tokio::sync::mpsc;

use super::copy::STATE;
use super::create::NewState;
use super::error::StateError;
use crate::app::App;
use crate::context::Tenant;
use crate::http::attributes::{BodyError, check_type_at};
use crate::objects::{self, ObjectError, Stored, pipe};

/// The type of a state version on the wire.
pub(super) const TYPE: &str = "state-versions";
const MAX_DEPTH: u32 = 32;
const MAX_TEXT: u64 = 1024;
/// Announced outputs beyond this are not kept: they are a substitute for what the state tells.
const MAX_OUTPUTS: u64 = 1024 * 1024;

/// Reads the body of a create; states in it are stored, and belong to nobody yet.
///
/// # Errors
/// [`StateError::Malformed`] or [`StateError::Invalid`] for what can't be read; the object store's.
pub(super) async fn read_body(
    app: &App,
    tenant: &Tenant,
    body: Body,
) -> Result<NewState, StateError> {
    let (parts, arriving) = mpsc::channel(1);
    let stream = Box::pin(body.into_data_stream().map_err(io::Error::other));
    let parsing = pipe::read_blocking(stream, move |reader| parse(reader, &parts));
    let (parsed, stored) = tokio::join!(parsing, store_parts(app, tenant, arriving));
    // A store that fails makes the parser fail too: its own error is the one to tell.
    let (state, json_state) = stored?;
    let new = parsed
        .map_err(ObjectError::BrokenOff)?
        .map_err(StateError::from)?;
    Ok(NewState {
        state,
        json_state,
        ..new
    })
}

/// A base64 text of the body, on its way to the store.
struct Part {
    is_json: bool,
    content: pipe::PipeStream,
}

async fn store_parts(
    app: &App,
    tenant: &Tenant,
    mut parts: mpsc::Receiver<Part>,
) -> Result<(Option<Stored>, Option<Stored>), StateError> {
    let (mut state, mut json_state) = (None, None);
    let limit = app.installation.limits.state;
    while let Some(part) = parts.recv().await {
        let (kind, slot) = if part.is_json {
            ("json-state", &mut json_state)
        } else {
            (STATE, &mut state)
        };
        let put = Box::pin(objects::put(
            app,
            tenant,
            kind,
            part.content.into_reader(),
            limit,
        ));
        match put.await {
            Ok(stored) => *slot = Some(stored),
            // The parser knows better why a part broke off.
            Err(ObjectError::BrokenOff(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok((state.filter(is_not_empty), json_state.filter(is_not_empty)))
}

fn is_not_empty(stored: &Stored) -> bool {
    stored.size > 0
}

/// Why a body can't be read.
#[derive(Debug, thiserror::Error)]
enum ParseError {
    #[error(transparent)]
    Json(#[from] ReaderError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("{what} is wrong")]
    Field { pointer: &'static str, what: String },
}

impl From<ParseError> for StateError {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::Json(error) => Self::Malformed {
                detail: error.to_string(),
            },
            ParseError::Body(error) => Self::Body(error),
            ParseError::Field { pointer, what } => Self::Invalid {
                pointer,
                detail: what,
            },
        }
    }
}

fn wrong(pointer: &'static str, what: impl Into<String>) -> ParseError {
    ParseError::Field {
        pointer,
        what: what.into(),
    }
}

type Json<'r, R> = JsonStreamReader<&'r mut R>;

fn parse<R: Read>(reader: &mut R, parts: &mpsc::Sender<Part>) -> Result<NewState, ParseError> {
    let settings = ReaderSettings {
        max_nesting_depth: Some(MAX_DEPTH),
        ..Default::default()
    };
    let mut json = JsonStreamReader::new_custom(reader, settings);
    let mut new = NewState::default();
    members(&mut json, "", |json, name| match name {
        "data" => members(json, "/data", |json, name| match name {
            "type" => kind(json, TYPE, "/data/type"),
            "attributes" => members(json, "/data/attributes", |json, name| {
                attribute(json, name, &mut new, parts)
            }),
            "relationships" => members(json, "/data/relationships", |json, name| match name {
                "run" => run(json, &mut new),
                _ => Ok(json.skip_value()?),
            }),
            _ => Ok(json.skip_value()?),
        }),
        _ => Ok(json.skip_value()?),
    })?;
    json.consume_trailing_whitespace()?;
    Ok(new)
}

/// Hands each member of an object to `take`, which must read its value. `null` is an empty object.
fn members<R: Read>(
    json: &mut Json<'_, R>,
    pointer: &'static str,
    mut take: impl FnMut(&mut Json<'_, R>, &str) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    match json.peek()? {
        ValueType::Object => {}
        ValueType::Null => return Ok(json.next_null()?),
        ValueType::Array | ValueType::String | ValueType::Boolean | ValueType::Number => {
            return Err(wrong(pointer, "an object is expected here"));
        }
    }
    json.begin_object()?;
    while json.has_next()? {
        let name = json.next_name_owned()?;
        take(json, &name)?;
    }
    Ok(json.end_object()?)
}

fn attribute<R: Read>(
    json: &mut Json<'_, R>,
    name: &str,
    new: &mut NewState,
    parts: &mpsc::Sender<Part>,
) -> Result<(), ParseError> {
    if json.peek()? == ValueType::Null {
        return Ok(json.next_null()?);
    }
    match name {
        "serial" => new.serial = Some(number(json, "/data/attributes/serial")?),
        "md5" => new.md5 = Some(text(json, "/data/attributes/md5")?),
        "lineage" => new.lineage = Some(text(json, "/data/attributes/lineage")?),
        "force" => {
            if json.peek()? != ValueType::Boolean {
                return Err(wrong(
                    "/data/attributes/force",
                    "`true` or `false` is expected here",
                ));
            }
            new.force = json.next_bool()?;
        }
        "state" => send(json, "/data/attributes/state", false, parts)?,
        "json-state" => send(json, "/data/attributes/json-state", true, parts)?,
        "json-state-outputs" => new.outputs = outputs(json)?,
        _ => {
            return Err(ParseError::Body(BodyError::UnknownAttribute {
                name: name.to_owned(),
                pointer: format!("/data/attributes/{name}"),
            }));
        }
    }
    Ok(())
}

/// Reads a type, which must be the one that is wanted.
fn kind<R: Read>(
    json: &mut Json<'_, R>,
    wanted: &'static str,
    pointer: &'static str,
) -> Result<(), ParseError> {
    if json.peek()? == ValueType::Null {
        return Ok(json.next_null()?);
    }
    let kind = text(json, pointer)?;
    Ok(check_type_at(&[wanted], &kind, pointer)?)
}

fn run<R: Read>(json: &mut Json<'_, R>, new: &mut NewState) -> Result<(), ParseError> {
    const POINTER: &str = "/data/relationships/run";
    members(json, POINTER, |json, name| match name {
        "data" => members(json, POINTER, |json, name| match name {
            "type" => kind(json, "runs", "/data/relationships/run/data/type"),
            "id" => {
                let id = text(json, POINTER)?;
                new.run = Some(
                    id.parse()
                        .map_err(|_| wrong(POINTER, format!("{id:?} is no run")))?,
                );
                Ok(())
            }
            _ => Ok(json.skip_value()?),
        }),
        _ => Ok(json.skip_value()?),
    })
}

fn number<R: Read>(json: &mut Json<'_, R>, pointer: &'static str) -> Result<i64, ParseError> {
    let wanted = || wrong(pointer, "a whole number is expected here");
    if json.peek()? != ValueType::Number {
        return Err(wanted());
    }
    json.next_number_as_str()?.parse().map_err(|_| wanted())
}

fn text<R: Read>(json: &mut Json<'_, R>, pointer: &'static str) -> Result<String, ParseError> {
    let mut text = String::new();
    let read = string(json, pointer)?
        .take(MAX_TEXT + 1)
        .read_to_string(&mut text);
    match read {
        Ok(length) if length as u64 <= MAX_TEXT => Ok(text),
        Ok(_) => Err(wrong(
            pointer,
            format!("at most {MAX_TEXT} bytes are expected here"),
        )),
        Err(error) => Err(wrong(pointer, error.to_string())),
    }
}

fn string<'j, R: Read>(
    json: &'j mut Json<'_, R>,
    pointer: &'static str,
) -> Result<impl Read + 'j, ParseError> {
    if json.peek()? != ValueType::String {
        return Err(wrong(pointer, "a text is expected here"));
    }
    Ok(json.next_string_reader()?)
}

/// Decodes a base64 text into a part for the store.
fn send<R: Read>(
    json: &mut Json<'_, R>,
    pointer: &'static str,
    is_json: bool,
    parts: &mpsc::Sender<Part>,
) -> Result<(), ParseError> {
    let mut decoder = DecoderReader::new(string(json, pointer)?, &STANDARD);
    let (mut writer, content) = pipe::pipe();
    let gone = |_| wrong(pointer, "it could not be stored");
    parts
        .blocking_send(Part { is_json, content })
        .map_err(gone)?;
    match io::copy(&mut decoder, &mut writer) {
        Ok(_) => {
            writer.finish(Ok(()));
            Ok(())
        }
        Err(error) => {
            let what = format!("it can't be read as base64: {error}");
            writer.finish(Err(error));
            Err(wrong(pointer, what))
        }
    }
}

fn outputs<R: Read>(json: &mut Json<'_, R>) -> Result<Option<Secret<Vec<u8>>>, ParseError> {
    const POINTER: &str = "/data/attributes/json-state-outputs";
    let mut text = string(json, POINTER)?;
    let mut decoded = Vec::new();
    let read = DecoderReader::new(&mut text, &STANDARD)
        .take(MAX_OUTPUTS + 1)
        .read_to_end(&mut decoded);
    let decoded = Secret::new(decoded);
    match read {
        Ok(length) if length as u64 <= MAX_OUTPUTS => Ok(Some(decoded)),
        Ok(_) => {
            io::copy(&mut text, &mut io::sink()).map_err(|it| wrong(POINTER, it.to_string()))?;
            Ok(None)
        }
        Err(error) => Err(wrong(
            POINTER,
            format!("it can't be read as base64: {error}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    fn parse_text(text: &str) -> Result<NewState, ParseError> {
        let (parts, _arriving) = mpsc::channel(1);
        parse(&mut text.as_bytes(), &parts)
    }

    #[test]
    fn an_announcement_is_read_and_the_rest_is_skipped() {
        let new = parse_text(
            r#"{"data":{"type":"state-versions","extra":[{}],"attributes":{"force":true,"extra":null,
                "json-state-outputs":"e30=","lineage":"l","md5":"00","serial":7,"state":null},
                "relationships":{"run":{"data":{"type":"runs","id":"run-1"}},"x":{}}}} "#,
        )
        .unwrap();
        assert_eq!((new.serial, new.force), (Some(7), true));
        assert_eq!(
            (new.lineage.as_deref(), new.md5.as_deref()),
            (Some("l"), Some("00"))
        );
        assert_eq!(new.outputs.unwrap().expose(), b"{}");
        assert_eq!(new.run.unwrap().as_str(), "run-1");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let pointer_of = |text: &str| match parse_text(text).unwrap_err() {
            ParseError::Field { pointer, .. } => pointer.to_owned(),
            ParseError::Body(error) => error.pointer().unwrap().to_owned(),
            ParseError::Json(error) => panic!("{error}"),
        };
        let in_attributes =
            |text: &str| pointer_of(&format!(r#"{{"data":{{"attributes":{text}}}}}"#));
        assert_eq!(
            in_attributes(r#"{"serial":"7"}"#),
            "/data/attributes/serial"
        );
        assert_eq!(
            in_attributes(r#"{"serial":7.5}"#),
            "/data/attributes/serial"
        );
        assert_eq!(in_attributes(r#"{"force":1}"#), "/data/attributes/force");
        assert_eq!(
            in_attributes(r#"{"json-state-outputs":"!"}"#),
            "/data/attributes/json-state-outputs"
        );
        let long = format!(r#"{{"lineage":"{}"}}"#, "l".repeat(2000));
        assert_eq!(in_attributes(&long), "/data/attributes/lineage");
        assert_eq!(in_attributes(r#"{"sereal":7}"#), "/data/attributes/sereal");
        assert_eq!(pointer_of(r#"{"data":[]}"#), "/data");
        assert_eq!(pointer_of(r#"{"data":{"type":"bananas"}}"#), "/data/type");
        assert_eq!(pointer_of(r#"{"data":{"type":1}}"#), "/data/type");
        let run = r#"{"data":{"relationships":{"run":{"data":{"type":"plans","id":"run-1"}}}}}"#;
        assert_eq!(pointer_of(run), "/data/relationships/run/data/type");
    }

    #[test]
    fn garbage_and_torn_bodies_are_malformed() {
        for text in [
            "",
            "\u{0}",
            "[",
            r#"{"data":{"attributes":{"serial":7}"#,
            "{} {}",
        ] {
            let error = parse_text(text).unwrap_err();
            assert!(matches!(
                error,
                ParseError::Json(_) | ParseError::Field { pointer: "", .. }
            ));
        }
    }
}
