//! Opens an object from its beginning to its end, holding one chunk.

use super::header::HEADER_LENGTH;
use super::index::{self, Entries, FOOTER_LENGTH};
use super::sealing::Sealing;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::DataKey;
use crate::record::{FRAME_LENGTH, Frame};

/// Turns a sealed object back into plaintext: [`Decoder::feed`] it bytes as they come, take chunks
/// with [`Decoder::next_chunk`] until there is none, and [`Decoder::finish`].
///
/// Each chunk is genuine when it is given out; that none is missing is known after `finish`.
pub struct Decoder<'a> {
    key: &'a DataKey,
    context: Context<'a>,
    unread: Vec<u8>,
    sealing: Option<Sealing>,
    seen: Entries,
    expected: Expected,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Header,
    Chunk,
    Tail,
    Nothing,
}

impl<'a> Decoder<'a> {
    pub fn new(key: &'a DataKey, context: Context<'a>) -> Self {
        let unread = Vec::new();
        let seen = Entries::default();
        Self {
            key,
            context,
            unread,
            sealing: None,
            seen,
            expected: Expected::Header,
        }
    }

    /// Takes further bytes of the object.
    pub fn feed(&mut self, stored: &[u8]) {
        self.unread.extend_from_slice(stored);
    }

    /// The next chunk of plaintext, if enough bytes have been fed.
    pub fn next_chunk(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            let step = match self.expected {
                Expected::Header => self.read_header()?,
                Expected::Chunk => return self.read_chunk(),
                Expected::Tail => self.read_tail()?,
                Expected::Nothing if self.unread.is_empty() => None,
                Expected::Nothing => {
                    return Err(Error::Format {
                        what: "bytes after the end",
                    });
                }
            };
            if step.is_none() {
                return Ok(None);
            }
        }
    }

    /// Checks that the object was whole and tells the size of its plaintext.
    pub fn finish(mut self) -> Result<u64> {
        if self.next_chunk()?.is_some() {
            return Err(Error::Format {
                what: "an object that wasn't read to its end",
            });
        }
        match self.expected {
            Expected::Nothing => Ok(self.seen.size),
            Expected::Header | Expected::Chunk | Expected::Tail => Err(Error::Format {
                what: "an object that was cut short",
            }),
        }
    }

    fn read_header(&mut self) -> Result<Option<()>> {
        let Some(header) = self.unread.first_chunk::<HEADER_LENGTH>() else {
            return Ok(None);
        };
        self.sealing = Some(Sealing::of_object(self.key, &self.context, header)?);
        self.consume(HEADER_LENGTH);
        self.expected = Expected::Chunk;
        Ok(Some(()))
    }

    fn read_chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let sealing = self.sealing.as_ref().expect("the header was read");
        let Some((frame, rest)) = self.unread.split_first_chunk::<FRAME_LENGTH>() else {
            return Ok(None);
        };
        let frame = Frame::read(*frame);
        if frame.length > sealing.max_sealed() {
            return Err(Error::Format {
                what: "a chunk that is too long",
            });
        }
        let Some(sealed) = rest.get(..frame.length) else {
            return Ok(None);
        };
        let plaintext = sealing.open_chunk(frame.last, self.seen.count(), sealed)?;
        self.seen.add(plaintext.len(), frame.length);
        self.consume(FRAME_LENGTH + frame.length);
        if frame.last {
            self.expected = Expected::Tail;
        }
        Ok(Some(plaintext))
    }

    fn read_tail(&mut self) -> Result<Option<()>> {
        let sealing = self.sealing.as_ref().expect("the header was read");
        let length = index::tail_length(&self.seen);
        let Some(tail) = self.unread.get(..length) else {
            return Ok(None);
        };
        let (sealed, footer) = tail.split_at(length - FOOTER_LENGTH);
        index::check(sealing, sealed, &self.seen)?;
        if footer != index::footer(sealed.len()) {
            return Err(Error::Format {
                what: "an object that doesn't end with TERRTAIL",
            });
        }
        self.consume(length);
        self.expected = Expected::Nothing;
        Ok(Some(()))
    }

    fn consume(&mut self, length: usize) {
        self.unread.drain(..length);
    }
}
