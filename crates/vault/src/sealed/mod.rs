//! Sealing to a public key: whoever seals can't open it again.
//!
//! HPKE (RFC 9180) in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
//! ```text
//! 0   "TERRSEAL"
//! 8   version: 1, then seven zero bytes
//! 16  id of the recipient's key (16 bytes)
//! 32  encapsulated key (32 bytes)
//! 64  chunks, each: frame (32 bits, big endian: length of what follows, highest bit set on the
//!     last), then the HPKE ciphertext of up to 64 KiB
//! ```
//! `info` = format name, account, kind, id, then bytes 0 to 32. Associated data of a chunk: one
//! byte, 1 on the last. HPKE counts the chunks, so none can be left out, moved or repeated, and the
//! mark on the last one tells that the end is the end.

mod keys;
mod opener;
mod pipe;
mod sealer;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::KeyId;

pub use keys::{RecipientKey, RecipientPublicKey};
pub use opener::Opener;
pub use pipe::{open_with, seal_to};
pub use sealer::Sealer;

type Aead = AesGcm256;
type Kdf = HkdfSha256;
type Kem = X25519HkdfSha256;

/// Bytes before the first chunk.
pub const HEADER_LENGTH: usize = 64;

const FORMAT: &str = "terrane sealed v1";
const MAGIC: &[u8; 8] = b"TERRSEAL";
const VERSION: u8 = 1;
/// Where the encapsulated key begins.
const FIXED_LENGTH: usize = 32;
const CHUNK_SIZE: usize = 64 * 1024;

/// Which private key a sealed thing needs, from its first [`HEADER_LENGTH`] bytes.
pub fn recipient_of(sealed: &[u8]) -> Result<KeyId> {
    let header: &[u8; HEADER_LENGTH] = sealed.first_chunk().ok_or(Error::Format {
        what: "a sealed thing that was cut short",
    })?;
    if !header.starts_with(MAGIC) {
        return Err(Error::Format {
            what: "a sealed thing that doesn't begin with TERRSEAL",
        });
    }
    if header[8] != VERSION {
        return Err(Error::Version { version: header[8] });
    }
    Ok(KeyId::read(header, 16).expect("the header holds a key id"))
}

fn fixed_header(recipient: KeyId) -> [u8; FIXED_LENGTH] {
    let mut header = [0; FIXED_LENGTH];
    header[..8].copy_from_slice(MAGIC);
    header[8] = VERSION;
    header[16..].copy_from_slice(recipient.as_bytes());
    header
}

fn info(context: &Context<'_>, fixed_header: &[u8]) -> Vec<u8> {
    let mut info = context.associated_data(FORMAT);
    info.extend_from_slice(fixed_header);
    info
}
