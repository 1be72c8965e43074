//! The walk over a state's members that everything else is built on.

use std::io::Read;

use struson::reader::{JsonReader, JsonStreamReader, ReaderSettings, ValueType};

use super::{Head, StateError};

pub(super) type Json<R> = JsonStreamReader<R>;

/// What to do with the members that aren't part of the head.
pub(super) trait Body {
    fn outputs<R: Read>(&mut self, json: &mut Json<R>) -> Result<(), StateError>;
    fn resources<R: Read>(&mut self, json: &mut Json<R>) -> Result<(), StateError>;
}

/// Skips everything but the head.
pub(super) struct Nothing;

impl Body for Nothing {
    fn outputs<R: Read>(&mut self, json: &mut Json<R>) -> Result<(), StateError> {
        Ok(json.skip_value()?)
    }
    fn resources<R: Read>(&mut self, json: &mut Json<R>) -> Result<(), StateError> {
        Ok(json.skip_value()?)
    }
}

/// Nesting beyond this is no state of Terraform's.
pub(super) const MAX_DEPTH: u32 = 200;

/// Walks a state from its first byte to its last.
pub(super) fn read<R: Read>(state: R, body: &mut impl Body) -> Result<Head, StateError> {
    let settings = ReaderSettings {
        max_nesting_depth: Some(MAX_DEPTH),
        ..Default::default()
    };
    let mut json = JsonStreamReader::new_custom(state, settings);
    let (mut version, mut serial, mut lineage) = (None, None, None);
    let mut terraform_version = String::new();
    json.begin_object()?;
    while json.has_next()? {
        match json.next_name_owned()?.as_str() {
            "version" => version = Some(number(&mut json, "version")?),
            "serial" => serial = Some(number(&mut json, "serial")?),
            "lineage" => lineage = Some(text(&mut json, "lineage")?),
            "terraform_version" => terraform_version = text(&mut json, "terraform_version")?,
            "outputs" => body.outputs(&mut json)?,
            "resources" => body.resources(&mut json)?,
            _ => json.skip_value()?,
        }
    }
    json.end_object()?;
    json.consume_trailing_whitespace()?;
    match version.ok_or(StateError::Missing { field: "version" })? {
        4 => {}
        other => {
            return Err(StateError::Version {
                found: other.to_string(),
            });
        }
    }
    Ok(Head {
        serial: serial.ok_or(StateError::Missing { field: "serial" })?,
        lineage: lineage.ok_or(StateError::Missing { field: "lineage" })?,
        terraform_version,
    })
}

fn number<R: Read>(json: &mut Json<R>, field: &'static str) -> Result<u64, StateError> {
    expect(json, ValueType::Number, field)?;
    json.next_number_as_str()?
        .parse()
        .map_err(|_| StateError::Field { field })
}

/// The longest text that is kept of a state: names, keys, ids.
const MAX_TEXT: usize = 16 * 1024;

pub(super) fn text<R: Read>(json: &mut Json<R>, field: &'static str) -> Result<String, StateError> {
    expect(json, ValueType::String, field)?;
    short_text(json)?.ok_or(StateError::Field { field })
}

/// The next value, a text, if it isn't longer than what is kept. However long, it is never held.
pub(super) fn short_text<R: Read>(json: &mut Json<R>) -> Result<Option<String>, StateError> {
    let mut bytes = Vec::new();
    let mut text = json.next_string_reader()?;
    let length = (&mut text)
        .take(MAX_TEXT as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(StateError::Text)?;
    if length > MAX_TEXT {
        std::io::copy(&mut text, &mut std::io::sink()).map_err(StateError::Text)?;
        return Ok(None);
    }
    drop(text);
    Ok(String::from_utf8(bytes).ok())
}

/// Fails with the field's name unless the next value is of this kind.
pub(super) fn expect<R: Read>(
    json: &mut Json<R>,
    kind: ValueType,
    field: &'static str,
) -> Result<(), StateError> {
    if json.peek()? == kind {
        Ok(())
    } else {
        Err(StateError::Field { field })
    }
}

/// Consumes a `null` if one is next.
pub(super) fn is_null<R: Read>(json: &mut Json<R>) -> Result<bool, StateError> {
    if json.peek()? != ValueType::Null {
        return Ok(false);
    }
    json.next_null()?;
    Ok(true)
}
