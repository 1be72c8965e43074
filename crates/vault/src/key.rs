//! Keys that seal data, and their ids.

use std::fmt;
use std::str::FromStr;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::Error;
use crate::random;

/// Names a key, never reveals it. Written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; KeyId::LENGTH]);

impl KeyId {
    pub const LENGTH: usize = 16;

    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Reads the id out of a header at `at`.
    pub(crate) fn read(bytes: &[u8], at: usize) -> Option<Self> {
        Some(Self(bytes.get(at..at + Self::LENGTH)?.try_into().ok()?))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut id = [0; Self::LENGTH];
        hex::decode_to_slice(text, &mut id).map_err(|_| Error::Format {
            what: "a key id has 32 hexadecimal digits",
        })?;
        Ok(Self(id))
    }
}

/// A key that seals the data of one account; kept wrapped under the installation key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DataKey {
    #[zeroize(skip)]
    id: KeyId,
    bytes: [u8; 32],
}

impl DataKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self {
            id: KeyId(random::bytes()),
            bytes: random::bytes(),
        }
    }

    pub fn id(&self) -> KeyId {
        self.id
    }

    pub(crate) fn from_parts(id: KeyId, bytes: [u8; 32]) -> Self {
        Self { id, bytes }
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.id)
    }
}
