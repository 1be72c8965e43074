//! The first bytes of an object.

use crate::cipher::SALT_LENGTH;
use crate::error::{Error, Result};
use crate::key::KeyId;

/// Bytes of the header.
pub const HEADER_LENGTH: usize = 64;

const MAGIC: &[u8; 8] = b"TERRBLOB";
const VERSION: u8 = 1;
const CHUNK_SIZE_AT: usize = 12;
const KEY_AT: usize = 16;
/// What we accept from a header; what we write is fixed.
const MAX_CHUNK_SIZE: usize = 1024 * 1024;

#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) chunk_size: usize,
    pub(super) key: KeyId,
    pub(super) salt: [u8; SALT_LENGTH],
}

impl Header {
    pub(super) fn to_bytes(&self) -> [u8; HEADER_LENGTH] {
        let mut bytes = [0; HEADER_LENGTH];
        let size = u32::try_from(self.chunk_size).expect("chunks are small");
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8] = VERSION;
        bytes[CHUNK_SIZE_AT..KEY_AT].copy_from_slice(&size.to_be_bytes());
        bytes[KEY_AT..KEY_AT + KeyId::LENGTH].copy_from_slice(self.key.as_bytes());
        bytes[KEY_AT + KeyId::LENGTH..].copy_from_slice(&self.salt);
        bytes
    }

    pub(super) fn read(bytes: &[u8; HEADER_LENGTH]) -> Result<Self> {
        if !bytes.starts_with(MAGIC) {
            return Err(Error::Format {
                what: "an object that doesn't begin with TERRBLOB",
            });
        }
        if bytes[8] != VERSION {
            return Err(Error::Version { version: bytes[8] });
        }
        let size: [u8; 4] = bytes[CHUNK_SIZE_AT..KEY_AT].try_into().expect("four bytes");
        let chunk_size = u32::from_be_bytes(size) as usize;
        if chunk_size == 0 || chunk_size > MAX_CHUNK_SIZE {
            return Err(Error::Format {
                what: "an impossible chunk size",
            });
        }
        let key = KeyId::read(bytes, KEY_AT).expect("the header holds a key id");
        let salt = *bytes.last_chunk().expect("the header ends with the salt");
        Ok(Self {
            chunk_size,
            key,
            salt,
        })
    }
}

/// Which key an object needs, from its first [`HEADER_LENGTH`] bytes.
pub fn key_of(object: &[u8]) -> Result<KeyId> {
    let header = object.first_chunk().ok_or(Error::Format {
        what: "an object that was cut short",
    })?;
    Ok(Header::read(header)?.key)
}
