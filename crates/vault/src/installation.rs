//! The installation key: the one secret that is not in the database, and opens everything there.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use domain::Secret;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::cipher::derive;
use crate::error::{Error, Result};
use crate::key::{DataKey, KeyId};
use crate::random;

/// 32 bytes from a file, the environment or a key service. Lost, nothing can be opened any more.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct InstallationKey([u8; 32]);

impl InstallationKey {
    pub fn generate() -> Self {
        Self(random::bytes())
    }

    /// Reads what a key file holds: 64 hexadecimal digits, or base64 in either alphabet, with or
    /// without padding; white space around it is ignored.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let bytes = if text.len() == 64 {
            hex::decode(text).map_err(|_| Error::KeyText)?
        } else {
            let digits = text.trim_end_matches('=');
            STANDARD_NO_PAD
                .decode(digits)
                .or_else(|_| URL_SAFE_NO_PAD.decode(digits))
                .map_err(|_| Error::KeyText)?
        };
        let bytes = Zeroizing::new(bytes);
        Ok(Self(
            bytes.as_slice().try_into().map_err(|_| Error::KeyText)?,
        ))
    }

    /// What to write into a key file.
    pub fn to_text(&self) -> Secret {
        Secret::new(hex::encode(self.0))
    }

    /// Tells keys apart without revealing them.
    pub fn id(&self) -> KeyId {
        let digest = derive(&self.0, b"", b"terrane installation key id v1");
        KeyId::from_bytes(*digest.first_chunk().expect("32 bytes hold an id"))
    }

    /// The key that seals what belongs to the installation, account keys above all.
    pub(crate) fn own_data_key(&self) -> DataKey {
        DataKey::from_parts(
            self.id(),
            *derive(&self.0, b"", b"terrane installation data v1"),
        )
    }

    /// A key for one purpose.
    pub(crate) fn purpose_key(&self, label: &str) -> Zeroizing<[u8; 32]> {
        derive(&self.0, b"terrane purpose v1", label.as_bytes())
    }
}

impl fmt::Debug for InstallationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstallationKey({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    #[test]
    fn every_usual_spelling_is_read() {
        let bytes = [0xfb; 32];
        let key = InstallationKey(bytes);
        for text in [
            hex::encode(bytes),
            hex::encode_upper(bytes),
            STANDARD.encode(bytes),
            URL_SAFE.encode(bytes),
            URL_SAFE_NO_PAD.encode(bytes),
            format!("\n  {}\r\n", key.to_text().expose()),
        ] {
            assert_eq!(
                InstallationKey::parse(&text).unwrap().id(),
                key.id(),
                "{text}"
            );
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long = "ab".repeat(33);
        for text in [
            "",
            "secret",
            &hex::encode([1; 31]),
            &long,
            &STANDARD.encode([1; 33]),
        ] {
            assert!(
                matches!(InstallationKey::parse(text), Err(Error::KeyText)),
                "{text}"
            );
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let key = InstallationKey::generate();
        let shown = format!("{key:?} {:?}", key.own_data_key());
        assert!(!shown.contains(key.to_text().expose()));
    }
}
