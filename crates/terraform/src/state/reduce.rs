//! A state reduced to its outputs: what another workspace may read of it.

use std::io::{Read, Write};

use struson::reader::JsonReader;
use struson::writer::{JsonStreamWriter, JsonWriter};

use super::reader::{self, Body, Json, is_null};
use super::{Head, StateError};

/// Copies `state` to `out` with its outputs and without any resource. Streams; nothing is held.
///
/// # Errors
/// As [`super::head`]; what was written until then is no whole state either.
pub fn reduce_to_outputs(state: impl Read, out: &mut impl Write) -> Result<Head, StateError> {
    let mut writer = JsonStreamWriter::new(out);
    writer.begin_object().map_err(StateError::Write)?;
    let mut copy = Outputs(writer);
    let head = reader::read(state, &mut copy)?;
    copy.finish(&head).map_err(StateError::Write)?;
    Ok(head)
}

struct Outputs<'w, W: Write>(JsonStreamWriter<&'w mut W>);

impl<W: Write> Body for Outputs<'_, W> {
    fn outputs<R: Read>(&mut self, json: &mut Json<R>) -> Result<(), StateError> {
        if is_null(json)? {
            return Ok(());
        }
        self.0.name("outputs").map_err(StateError::Write)?;
        json.transfer_to(&mut self.0).map_err(StateError::Copy)
    }

    fn resources<R: Read>(&mut self, json: &mut Json<R>) -> Result<(), StateError> {
        Ok(json.skip_value()?)
    }
}

impl<W: Write> Outputs<'_, W> {
    fn finish(self, head: &Head) -> std::io::Result<()> {
        let mut json = self.0;
        json.name("version")?;
        json.number_value(4_u8)?;
        json.name("terraform_version")?;
        json.string_value(&head.terraform_version)?;
        json.name("serial")?;
        json.number_value(head.serial)?;
        json.name("lineage")?;
        json.string_value(&head.lineage)?;
        json.name("resources")?;
        json.begin_array()?;
        json.end_array()?;
        json.name("check_results")?;
        json.null_value()?;
        json.end_object()?;
        json.finish_document().map(|_| ())
    }
}
