//! Small secrets in rows: variables, tokens, private keys, log chunks.
//!
//! ```text
//! 0   version: 1
//! 1   key id (16 bytes)
//! 17  salt (32 bytes)
//! 49  AES-256-GCM ciphertext and tag
//! ```
//! Key = HKDF-SHA256(data key, salt); the nonce is zero because the key is used once. Associated
//! data = format name, account, kind, id, then bytes 0 to 49.

use domain::Secret;

use crate::cipher::{Cipher, SALT_LENGTH, TAG_LENGTH};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::{DataKey, KeyId};
use crate::random;

const FORMAT: &str = "terrane secret v1";
const VERSION: u8 = 1;
const SALT_AT: usize = 1 + KeyId::LENGTH;
const HEADER_LENGTH: usize = SALT_AT + SALT_LENGTH;
const NONCE: [u8; 12] = [0; 12];

/// How many bytes sealing adds.
pub const OVERHEAD: usize = HEADER_LENGTH + TAG_LENGTH;

/// Seals `plaintext` for `context`.
pub fn seal(key: &DataKey, context: &Context<'_>, plaintext: &[u8]) -> Vec<u8> {
    let salt = random::bytes();
    let mut header = Vec::with_capacity(plaintext.len() + OVERHEAD);
    header.push(VERSION);
    header.extend_from_slice(key.id().as_bytes());
    header.extend_from_slice(&salt);
    // One buffer of the right size, so that no reallocation leaves a plaintext copy behind.
    let mut body = Vec::with_capacity(plaintext.len() + TAG_LENGTH);
    body.extend_from_slice(plaintext);
    cipher(key, &salt).seal(NONCE, &associated_data(context, &header), &mut body);
    header.append(&mut body);
    header
}

/// Opens what [`seal`] made with the same key and context.
pub fn open(key: &DataKey, context: &Context<'_>, sealed: &[u8]) -> Result<Secret<Vec<u8>>> {
    let found = key_of(sealed)?;
    if found != key.id() {
        return Err(Error::WrongKey {
            found,
            given: key.id(),
        });
    }
    let (header, body) = sealed
        .split_at_checked(HEADER_LENGTH)
        .ok_or(Error::Format {
            what: "a secret that was cut short",
        })?;
    let salt = header.last_chunk().expect("the header ends with the salt");
    let mut plaintext = body.to_vec();
    cipher(key, salt).open(NONCE, &associated_data(context, header), &mut plaintext)?;
    Ok(Secret::new(plaintext))
}

/// Which key a sealed secret needs.
pub fn key_of(sealed: &[u8]) -> Result<KeyId> {
    match sealed.first() {
        Some(&VERSION) => KeyId::read(sealed, 1).ok_or(Error::Format {
            what: "a secret that was cut short",
        }),
        Some(&version) => Err(Error::Version { version }),
        None => Err(Error::Format {
            what: "an empty secret",
        }),
    }
}

/// Opens with one key and seals with another, for rotation.
pub fn reseal(
    old: &DataKey,
    new: &DataKey,
    context: &Context<'_>,
    sealed: &[u8],
) -> Result<Vec<u8>> {
    Ok(seal(new, context, open(old, context, sealed)?.expose()))
}

fn cipher(key: &DataKey, salt: &[u8; SALT_LENGTH]) -> Cipher {
    Cipher::derive(key.bytes(), salt, FORMAT.as_bytes())
}

fn associated_data(context: &Context<'_>, header: &[u8]) -> Vec<u8> {
    let mut data = context.associated_data(FORMAT);
    data.extend_from_slice(header);
    data
}
