//! Seals an object piece by piece, holding one chunk.

use super::header::Header;
use super::index::{Entries, footer};
use super::sealing::{Role, Sealing, pack};
use super::{CHUNK_SIZE, MAX_SIZE};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::DataKey;
use crate::random;
use crate::record::Frame;

/// zstd's own default: three quarters of the effect of the slow levels at a tenth of their time.
const LEVEL: i32 = 3;

/// Turns plaintext into a sealed object. Every call appends to `out` what is ready.
pub struct Encoder {
    sealing: Sealing,
    compressor: zstd::bulk::Compressor<'static>,
    /// Less than a chunk, or exactly one: it is sealed when more comes, because the last chunk is
    /// sealed differently.
    pending: Vec<u8>,
    entries: Entries,
    stored: u64,
}

/// How long an object turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of plaintext.
    pub plaintext: u64,
    /// Bytes of the sealed object.
    pub stored: u64,
}

impl Encoder {
    /// Begins an object; its header goes to `out`.
    pub fn new(key: &DataKey, context: &Context<'_>, out: &mut Vec<u8>) -> Self {
        Self::with_chunk_size(CHUNK_SIZE, key, context, out)
    }

    /// For tests, which want many chunks of few bytes.
    #[doc(hidden)]
    pub fn with_chunk_size(
        chunk_size: usize,
        key: &DataKey,
        context: &Context<'_>,
        out: &mut Vec<u8>,
    ) -> Self {
        let header = Header {
            chunk_size,
            key: key.id(),
            salt: random::bytes(),
        };
        let bytes = header.to_bytes();
        out.extend_from_slice(&bytes);
        Self {
            sealing: Sealing::new(key, context, &header),
            compressor: zstd::bulk::Compressor::new(LEVEL).expect("zstd knows its default level"),
            pending: Vec::with_capacity(chunk_size),
            entries: Entries::default(),
            stored: bytes.len() as u64,
        }
    }

    pub fn write(&mut self, mut plaintext: &[u8], out: &mut Vec<u8>) -> Result<()> {
        if self.entries.size + (self.pending.len() + plaintext.len()) as u64 > MAX_SIZE {
            return Err(Error::TooLarge { limit: MAX_SIZE });
        }
        while !plaintext.is_empty() {
            if self.pending.len() == self.sealing.chunk_size {
                self.seal_pending(false, out);
            }
            let room = self.sealing.chunk_size - self.pending.len();
            let (now, later) = plaintext.split_at(room.min(plaintext.len()));
            self.pending.extend_from_slice(now);
            plaintext = later;
        }
        Ok(())
    }

    /// Ends the object: the last chunk, the index and the footer.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Sizes {
        self.seal_pending(true, out);
        let mut index = self.entries.to_bytes();
        self.sealing
            .seal(Role::Index, self.entries.count(), &mut index);
        out.extend_from_slice(&index);
        let footer = footer(index.len());
        out.extend_from_slice(&footer);
        let stored = self.stored + (index.len() + footer.len()) as u64;
        Sizes {
            plaintext: self.entries.size,
            stored,
        }
    }

    fn seal_pending(&mut self, last: bool, out: &mut Vec<u8>) {
        let number = self.entries.count();
        let mut chunk = pack(&mut self.compressor, &self.pending);
        self.sealing.seal(Role::of_chunk(last), number, &mut chunk);
        let frame = Frame {
            length: chunk.len(),
            last,
        }
        .to_bytes();
        out.extend_from_slice(&frame);
        out.extend_from_slice(&chunk);
        self.stored += (frame.len() + chunk.len()) as u64;
        self.entries.add(self.pending.len(), chunk.len());
        self.pending.clear();
    }
}
