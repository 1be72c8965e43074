//! What is in the bytes of a state: its index, or that only the client can read it, or that they are
//! no state at all. A whole state that can't be indexed is kept without an index: it is newer than
//! this program, or larger than anything it was made for, and refusing it would lose it.

use std::io::Read;

use struson::reader::{JsonReader, JsonStreamReader, ReaderError, ValueType};
use terraform::state::{Head, Output, StateError as ParseError};

use super::summary::Summary;
use crate::http::error::chain;
use crate::objects::{Object, ObjectError, pipe};

/// What a stored state turned out to be.
#[derive(Debug)]
pub(super) enum Contents {
    State(Box<Index>),
    /// Encrypted by the client: whole JSON, with serial and lineage in clear at best.
    Opaque,
    Unreadable {
        reason: String,
    },
}

#[derive(Debug)]
pub(super) struct Index {
    pub head: Head,
    pub summary: Summary,
    pub outputs: Vec<Output>,
}

/// Reads a stored state to its last byte.
///
/// # Errors
/// The object store's own: then nothing is known of the state.
pub(super) async fn examine(object: &Object) -> Result<Contents, ObjectError> {
    let parsed = pipe::read_blocking(object.stream_from(0), |reader| {
        terraform::state::read(reader).map(|state| {
            let summary = Summary::of(&state);
            Index {
                head: state.head,
                summary,
                outputs: state.outputs,
            }
        })
    })
    .await
    .map_err(ObjectError::of_reading)?;
    let error: ParseError = match parsed {
        Ok(index) if i64::try_from(index.head.serial).is_err() => {
            return Ok(Contents::Unreadable {
                reason: "its serial is too large".to_owned(),
            });
        }
        Ok(index) => return Ok(Contents::State(Box::new(index))),
        Err(error) => error,
    };
    let head = pipe::read_blocking(object.stream_from(0), |reader| {
        terraform::state::head(reader)
    })
    .await
    .map_err(ObjectError::of_reading)?;
    if let Ok(head) = head
        && i64::try_from(head.serial).is_ok()
    {
        tracing::warn!(error = chain(&error), "a state is kept without an index");
        let summary = Summary::unindexed();
        return Ok(Contents::State(Box::new(Index {
            head,
            summary,
            outputs: Vec::new(),
        })));
    }
    let encrypted = pipe::read_blocking(object.stream_from(0), |reader| is_encrypted(reader))
        .await
        .map_err(ObjectError::of_reading)?;
    if matches!(encrypted, Ok(true)) {
        return Ok(Contents::Opaque);
    }
    Ok(Contents::Unreadable {
        reason: error.to_string(),
    })
}

/// OpenTofu's envelope: an object with `encrypted_data`, whole to its last byte.
fn is_encrypted(state: impl Read) -> Result<bool, ReaderError> {
    let mut json = JsonStreamReader::new(state);
    if json.peek()? != ValueType::Object {
        return Ok(false);
    }
    let mut found = false;
    json.begin_object()?;
    while json.has_next()? {
        found |= json.next_name()? == "encrypted_data";
        json.skip_value()?;
    }
    json.end_object()?;
    json.consume_trailing_whitespace()?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::is_encrypted;

    #[test]
    fn an_envelope_is_told_from_other_json() {
        let envelope = r#"{"serial":1,"lineage":"l","meta":{},"encrypted_data":"AAAA"} "#;
        assert!(is_encrypted(envelope.as_bytes()).unwrap());
        assert!(!is_encrypted("{}".as_bytes()).unwrap());
        assert!(!is_encrypted("[]".as_bytes()).unwrap());
        assert!(is_encrypted(&envelope.as_bytes()[..50]).is_err());
    }
}
