//! What can go wrong when something sealed is opened.

use std::io;

use crate::key::KeyId;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a key is 32 bytes, written as 64 hexadecimal digits or as base64")]
    KeyText,
    /// Not something we sealed, or cut short.
    #[error("not sealed data: {what}")]
    Format { what: &'static str },
    #[error("sealed in format version {version}, which this program doesn't know")]
    Version { version: u8 },
    #[error("sealed with key {found}, opened with key {given}")]
    WrongKey { found: KeyId, given: KeyId },
    #[error("sealed with installation key {id}, which is not among the configured ones")]
    UnknownKey { id: KeyId },
    /// A wrong key, another context, or changed bytes: the cipher can't tell which.
    #[error("sealed data was changed, or belongs to something else")]
    Tampered,
    #[error("more than {limit} bytes can't be sealed as one object")]
    TooLarge { limit: u64 },
    #[error("reading or writing failed")]
    Io { source: io::Error },
}
