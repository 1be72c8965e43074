//! Archives on their way in and out: configurations and the working tree between plan and apply.
//!
//! Everything unpacked here was made by somebody else. The unpacker works on a directory handle that
//! can't be escaped, is bounded in every direction, and is a pure function of its reader apart from
//! that handle, so that it can be fuzzed; the fuzz target compiles this module by itself, which is
//! why it uses nothing else of the runner.

mod entry;
mod extension;
pub mod pack;
pub mod probe;
pub mod unpack;

pub use pack::{PackError, pack};
pub use unpack::{Limits, UnpackError, Unpacked, unpack};

/// How an archive is compressed, told by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zstd,
    None,
}

impl Compression {
    /// Looks at the first bytes of a file.
    pub fn detect(start: &[u8]) -> Self {
        if start.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Self::Zstd
        } else {
            Self::None
        }
    }
}
