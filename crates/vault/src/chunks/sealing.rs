//! One chunk, or the index, in and out of its sealed form.

use std::borrow::Cow;

use super::header::{HEADER_LENGTH, Header};
use crate::cipher::{Cipher, TAG_LENGTH};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::DataKey;

const FORMAT: &str = "terrane blob v1";
const STORED: u8 = 0;
const ZSTD: u8 = 1;
/// Method byte and tag.
const OVERHEAD: usize = 1 + TAG_LENGTH;

#[derive(Clone, Copy)]
pub(super) enum Role {
    Chunk = 0,
    LastChunk = 1,
    Index = 2,
}

impl Role {
    pub(super) fn of_chunk(last: bool) -> Self {
        if last { Self::LastChunk } else { Self::Chunk }
    }
}

pub(super) struct Sealing {
    cipher: Cipher,
    associated: Vec<u8>,
    pub(super) chunk_size: usize,
}

impl Sealing {
    pub(super) fn new(key: &DataKey, context: &Context<'_>, header: &Header) -> Self {
        let mut associated = context.associated_data(FORMAT);
        associated.extend_from_slice(&header.to_bytes());
        let cipher = Cipher::derive(key.bytes(), &header.salt, FORMAT.as_bytes());
        Self {
            cipher,
            associated,
            chunk_size: header.chunk_size,
        }
    }

    /// For reading: checks that the key is the one the header names.
    pub(super) fn of_object(
        key: &DataKey,
        context: &Context<'_>,
        header: &[u8; HEADER_LENGTH],
    ) -> Result<Self> {
        let parsed = Header::read(header)?;
        if parsed.key != key.id() {
            return Err(Error::WrongKey {
                found: parsed.key,
                given: key.id(),
            });
        }
        let mut sealing = Self::new(key, context, &parsed);
        // The bytes as they are, so that a change in the unused ones is noticed too.
        let unused = sealing.associated.len() - HEADER_LENGTH;
        sealing.associated[unused..].copy_from_slice(header);
        Ok(sealing)
    }

    /// The longest a sealed chunk may be.
    pub(super) fn max_sealed(&self) -> usize {
        self.chunk_size + OVERHEAD
    }

    pub(super) fn seal(&self, role: Role, number: u64, content: &mut Vec<u8>) {
        self.cipher
            .seal(nonce(role, number), &self.associated, content);
    }

    pub(super) fn open(&self, role: Role, number: u64, sealed: &[u8]) -> Result<Vec<u8>> {
        let mut content = sealed.to_vec();
        self.cipher
            .open(nonce(role, number), &self.associated, &mut content)?;
        Ok(content)
    }

    /// Opens and unpacks a chunk; checks that it is as long as its place demands.
    pub(super) fn open_chunk(&self, last: bool, number: u64, sealed: &[u8]) -> Result<Vec<u8>> {
        if sealed.len() > self.max_sealed() {
            return Err(Error::Format {
                what: "a chunk that is too long",
            });
        }
        let packed = self.open(Role::of_chunk(last), number, sealed)?;
        let plaintext = self.unpack(packed)?;
        if plaintext.len() > self.chunk_size || (!last && plaintext.len() < self.chunk_size) {
            return Err(Error::Format {
                what: "a chunk of the wrong size",
            });
        }
        Ok(plaintext)
    }

    fn unpack(&self, mut packed: Vec<u8>) -> Result<Vec<u8>> {
        match packed.first() {
            Some(&STORED) => {
                packed.remove(0);
                Ok(packed)
            }
            Some(&ZSTD) => {
                zstd::bulk::decompress(&packed[1..], self.chunk_size).map_err(|_| Error::Format {
                    what: "a chunk that can't be decompressed",
                })
            }
            Some(_) | None => Err(Error::Format {
                what: "a chunk packed in an unknown way",
            }),
        }
    }
}

/// What gets sealed of a chunk: the shorter of the two.
pub(super) fn pack(compressor: &mut zstd::bulk::Compressor<'_>, plaintext: &[u8]) -> Vec<u8> {
    let (method, content) = match compressor.compress(plaintext) {
        Ok(smaller) if smaller.len() < plaintext.len() => (ZSTD, Cow::Owned(smaller)),
        Ok(_) | Err(_) => (STORED, Cow::Borrowed(plaintext)),
    };
    let mut packed = Vec::with_capacity(content.len() + OVERHEAD);
    packed.push(method);
    packed.extend_from_slice(&content);
    packed
}

fn nonce(role: Role, number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[0] = role as u8;
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    nonce
}
