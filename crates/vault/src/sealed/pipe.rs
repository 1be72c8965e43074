//! Sealing and opening from a reader to a writer, in little memory.

use std::io::{ErrorKind, Read, Write};

use super::{CHUNK_SIZE, Opener, RecipientKey, RecipientPublicKey, Sealer};
use crate::context::Context;
use crate::error::{Error, Result};

/// Seals all of `plaintext` into `out` and tells how many bytes that was. `out` is not flushed to
/// disk; that is the caller's.
pub fn seal_to(
    recipient: &RecipientPublicKey,
    context: &Context<'_>,
    mut plaintext: impl Read,
    mut out: impl Write,
) -> Result<u64> {
    let mut sealed = Vec::with_capacity(2 * CHUNK_SIZE);
    let mut sealer = Sealer::new(recipient, context, &mut sealed)?;
    each_piece(&mut plaintext, |piece| {
        sealer.write(piece, &mut sealed);
        out.write_all(&sealed).map_err(io)?;
        sealed.clear();
        Ok(())
    })?;
    let size = sealer.finish(&mut sealed);
    out.write_all(&sealed).map_err(io)?;
    Ok(size)
}

/// Opens all of `sealed` into `out` and tells how many bytes of plaintext that was.
///
/// What was written before an error is genuine but not whole: throw it away.
pub fn open_with(
    key: &RecipientKey,
    context: &Context<'_>,
    mut sealed: impl Read,
    mut out: impl Write,
) -> Result<u64> {
    let mut opener = Opener::new(key, *context);
    each_piece(&mut sealed, |piece| {
        opener.feed(piece);
        while let Some(chunk) = opener.next_chunk()? {
            out.write_all(&chunk).map_err(io)?;
        }
        Ok(())
    })?;
    opener.finish()
}

fn each_piece(reader: &mut impl Read, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut buffer = vec![0; CHUNK_SIZE];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => take(&buffer[..length])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(io(error)),
        }
    }
}

fn io(source: std::io::Error) -> Error {
    Error::Io { source }
}
