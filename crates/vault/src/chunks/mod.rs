//! Large objects: sealed in chunks, each on its own, with an index at the end.
//!
//! ```text
//! header   0   "TERRBLOB"
//!          8   version: 1, then three zero bytes
//!          12  chunk size: plaintext bytes of each chunk but the last (32 bits, big endian)
//!          16  key id (16 bytes)
//!          32  salt (32 bytes)
//! chunks   each: frame (32 bits, big endian: length of what follows, highest bit set on the last),
//!          then ciphertext and tag of: method (0 stored, 1 zstd), content
//! index    ciphertext and tag of: plaintext size (64 bits), number of chunks (32 bits), the
//!          length in the frame of each chunk (32 bits each); all big endian
//! footer   0   length of the index (32 bits, big endian), then four zero bytes
//!          8   "TERRTAIL"
//! ```
//! AES-256-GCM under HKDF-SHA256(data key, salt). Nonce = role (0 chunk, 1 last chunk, 2 index),
//! three zero bytes, number of the chunk (64 bits; for the index: of chunks). Associated data =
//! format name, account, kind, id, then the header. Every object has at least one chunk; only the
//! last may be short, and it is empty only in an empty object.
//!
//! Compressing before sealing tells the size of the compressed chunk to who can see the stored
//! object; accepted, because states shrink to a tenth.

mod decoder;
mod encoder;
mod header;
mod index;
mod sealing;

pub use decoder::Decoder;
pub use encoder::{Encoder, Sizes};
pub use header::{HEADER_LENGTH, key_of};
pub use index::{FOOTER_LENGTH, Index, index_range};

/// Plaintext bytes of a chunk.
pub const CHUNK_SIZE: usize = 64 * 1024;

/// Plaintext bytes of an object at most; keeps the index below 64 MiB.
pub const MAX_SIZE: u64 = 1 << 40;
