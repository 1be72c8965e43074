//! A state with another serial: what a roll-back or a recovery puts on top of the history.

use std::io::{Read, Write};

use struson::reader::{JsonReader, JsonStreamReader, ReaderSettings, ValueType};
use struson::writer::{JsonStreamWriter, JsonWriter};

use super::StateError;
use super::reader::{MAX_DEPTH, expect};

/// Copies `state` to `out` with `serial` in the place of its own; everything else stays as it is, in
/// the same order. Streams; nothing is held.
///
/// # Errors
/// When it is no whole JSON object, or has no serial; what was written until then is no whole state.
pub fn renumber(state: impl Read, serial: u64, out: &mut impl Write) -> Result<(), StateError> {
    let settings = ReaderSettings {
        max_nesting_depth: Some(MAX_DEPTH),
        ..Default::default()
    };
    let mut json = JsonStreamReader::new_custom(state, settings);
    let mut copy = JsonStreamWriter::new(out);
    let mut numbered = false;
    json.begin_object()?;
    copy.begin_object().map_err(StateError::Write)?;
    while json.has_next()? {
        let name = json.next_name_owned()?;
        copy.name(&name).map_err(StateError::Write)?;
        if name == "serial" {
            expect(&mut json, ValueType::Number, "serial")?;
            json.skip_value()?;
            copy.number_value(serial).map_err(StateError::Write)?;
            numbered = true;
        } else {
            json.transfer_to(&mut copy).map_err(StateError::Copy)?;
        }
    }
    json.end_object()?;
    json.consume_trailing_whitespace()?;
    if !numbered {
        return Err(StateError::Missing { field: "serial" });
    }
    copy.end_object().map_err(StateError::Write)?;
    copy.finish_document().map_err(StateError::Write)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::STATE;
    use crate::state::{Head, read};

    #[test]
    fn only_the_serial_changes() {
        let mut copy = Vec::new();
        renumber(STATE.as_bytes(), 42, &mut copy).unwrap();
        let (before, after) = (
            read(STATE.as_bytes()).unwrap(),
            read(copy.as_slice()).unwrap(),
        );
        assert_eq!(
            after.head,
            Head {
                serial: 42,
                ..before.head
            }
        );
        assert_eq!(after.resources, before.resources);
        assert!(
            String::from_utf8(copy).unwrap().contains("2.50"),
            "numbers stay as written"
        );
    }

    #[test]
    fn what_has_no_serial_or_is_torn_is_refused() {
        assert!(renumber(r#"{"version":4}"#.as_bytes(), 1, &mut Vec::new()).is_err());
        assert!(renumber(r#"{"serial":4,"#.as_bytes(), 1, &mut Vec::new()).is_err());
    }
}
