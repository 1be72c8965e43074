//! Reading any part of an object: the index tells where its chunks lie.

use std::ops::Range;

use super::header::HEADER_LENGTH;
use super::sealing::{Role, Sealing};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::DataKey;
use crate::record::{FRAME_LENGTH, Frame};

/// Bytes of the footer.
pub const FOOTER_LENGTH: usize = 16;

const FOOTER_MAGIC: &[u8; 8] = b"TERRTAIL";
/// Size and count.
const FIXED_LENGTH: usize = 12;

/// What the index holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entries {
    /// Bytes of plaintext.
    pub(super) size: u64,
    /// Of each sealed chunk, without its frame.
    lengths: Vec<u32>,
}

impl Entries {
    pub(super) fn add(&mut self, plaintext: usize, sealed: usize) {
        self.size += plaintext as u64;
        self.lengths
            .push(u32::try_from(sealed).expect("chunks are small"));
    }

    pub(super) fn count(&self) -> u64 {
        self.lengths.len() as u64
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let count = u32::try_from(self.lengths.len()).expect("objects are limited");
        let mut bytes = Vec::with_capacity(FIXED_LENGTH + 4 * self.lengths.len());
        bytes.extend_from_slice(&self.size.to_be_bytes());
        bytes.extend_from_slice(&count.to_be_bytes());
        for length in &self.lengths {
            bytes.extend_from_slice(&length.to_be_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (lengths, []) = rest.as_chunks::<4>() else {
            return None;
        };
        (u32::from_be_bytes(*count) as usize == lengths.len()).then(|| Self {
            size: u64::from_be_bytes(*size),
            lengths: lengths
                .iter()
                .map(|length| u32::from_be_bytes(*length))
                .collect(),
        })
    }
}

pub(super) fn footer(index_length: usize) -> [u8; FOOTER_LENGTH] {
    let mut footer = [0; FOOTER_LENGTH];
    let length = u32::try_from(index_length).expect("objects are limited");
    footer[..4].copy_from_slice(&length.to_be_bytes());
    footer[8..].copy_from_slice(FOOTER_MAGIC);
    footer
}

/// Where the index of an object lies, from the object's last [`FOOTER_LENGTH`] bytes and its length.
pub fn index_range(footer: &[u8], stored: u64) -> Result<Range<u64>> {
    let bytes: &[u8; FOOTER_LENGTH] = footer.try_into().map_err(|_| Error::Format {
        what: "an object that was cut short",
    })?;
    let (length, rest) = bytes
        .split_first_chunk()
        .expect("the footer begins with a length");
    let length = u32::from_be_bytes(*length);
    if rest[..4] != [0; 4] || &rest[4..] != FOOTER_MAGIC {
        return Err(Error::Format {
            what: "an object that doesn't end with TERRTAIL",
        });
    }
    let end = stored.checked_sub(FOOTER_LENGTH as u64);
    match end.and_then(|end| Some(end.checked_sub(u64::from(length))?..end)) {
        Some(range) if range.start >= HEADER_LENGTH as u64 => Ok(range),
        Some(_) | None => Err(Error::Format {
            what: "an object shorter than its index",
        }),
    }
}

/// An opened index: opens chunks by number.
pub struct Index {
    sealing: Sealing,
    size: u64,
    /// Where each chunk's frame begins, and where the last one ends.
    starts: Vec<u64>,
}

impl Index {
    /// Opens the index found by [`index_range`]; `header` is the first [`HEADER_LENGTH`] bytes of
    /// the object, `stored` its length.
    pub fn open(
        key: &DataKey,
        context: &Context<'_>,
        header: &[u8],
        index: &[u8],
        stored: u64,
    ) -> Result<Self> {
        let header = header.try_into().map_err(|_| Error::Format {
            what: "an object that was cut short",
        })?;
        let sealing = Sealing::of_object(key, context, header)?;
        // The nonce holds the number of chunks, which the index's length tells.
        let count = sealed_count(index.len())?;
        let entries =
            Entries::read(&sealing.open(Role::Index, count, index)?).ok_or(Error::Format {
                what: "an index that can't be read",
            })?;
        let starts = starts(&entries);
        let chunks_end = starts.last().copied().unwrap_or_default();
        let whole = chunks_end + (index.len() + FOOTER_LENGTH) as u64;
        if whole != stored || !fits(&entries, sealing.chunk_size as u64) {
            return Err(Error::Format {
                what: "an index of another object",
            });
        }
        Ok(Self {
            sealing,
            size: entries.size,
            starts,
        })
    }

    /// Bytes of plaintext.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Plaintext bytes of every chunk but the last.
    pub fn chunk_size(&self) -> u64 {
        self.sealing.chunk_size as u64
    }

    pub fn chunk_count(&self) -> usize {
        self.starts.len() - 1
    }

    /// The numbers of the chunks that hold these plaintext bytes; what lies beyond the end is left
    /// out.
    pub fn chunks_with(&self, plaintext: Range<u64>) -> Range<usize> {
        let end = plaintext.end.min(self.size);
        if plaintext.start >= end {
            return 0..0;
        }
        let first = plaintext.start / self.chunk_size();
        let last = (end - 1) / self.chunk_size();
        usize_of(first)..usize_of(last) + 1
    }

    /// Where these chunks lie in the stored object, frames included.
    pub fn stored_range(&self, chunks: Range<usize>) -> Range<u64> {
        self.starts[chunks.start]..self.starts[chunks.end]
    }

    /// Opens chunk `number` from its bytes at [`Index::stored_range`].
    pub fn open_chunk(&self, number: usize, stored: &[u8]) -> Result<Vec<u8>> {
        let last = number + 1 == self.chunk_count();
        let expected = self.stored_range(number..number + 1);
        let (frame, sealed) = stored
            .split_first_chunk::<FRAME_LENGTH>()
            .ok_or(Error::Format {
                what: "a chunk that was cut short",
            })?;
        let whole = stored.len() as u64 == expected.end - expected.start;
        if !whole
            || Frame::read(*frame)
                != (Frame {
                    length: sealed.len(),
                    last,
                })
        {
            return Err(Error::Format {
                what: "a chunk in another one's place",
            });
        }
        self.sealing.open_chunk(last, number as u64, sealed)
    }
}

/// How many chunks an index of this sealed length lists.
fn sealed_count(length: usize) -> Result<u64> {
    length
        .checked_sub(FIXED_LENGTH + crate::cipher::TAG_LENGTH)
        .filter(|lengths| lengths.is_multiple_of(4))
        .map(|lengths| (lengths / 4) as u64)
        .ok_or(Error::Format {
            what: "an index of an impossible length",
        })
}

fn starts(entries: &Entries) -> Vec<u64> {
    let mut at = HEADER_LENGTH as u64;
    let mut starts = vec![at];
    for length in &entries.lengths {
        at += FRAME_LENGTH as u64 + u64::from(*length);
        starts.push(at);
    }
    starts
}

/// Whether the number of chunks is what the size demands.
fn fits(entries: &Entries, chunk_size: u64) -> bool {
    entries.count() == entries.size.div_ceil(chunk_size).max(1)
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).expect("objects are limited")
}

/// For the decoder: whether the index tells what it has seen.
pub(super) fn check(sealing: &Sealing, sealed: &[u8], seen: &Entries) -> Result<()> {
    let content = sealing.open(Role::Index, seen.count(), sealed)?;
    if content == seen.to_bytes() && fits(seen, sealing.chunk_size as u64) {
        Ok(())
    } else {
        Err(Error::Format {
            what: "an index that contradicts the chunks",
        })
    }
}

/// For the decoder: bytes of the index and the footer after these chunks.
pub(super) fn tail_length(seen: &Entries) -> usize {
    FIXED_LENGTH + 4 * seen.lengths.len() + crate::cipher::TAG_LENGTH + FOOTER_LENGTH
}
