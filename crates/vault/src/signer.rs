//! Signatures of our own URLs: HMAC-SHA256 under keys derived from the installation keys.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Signs for one purpose; see [`crate::Keyring::signer`].
#[derive(Clone)]
pub struct Signer {
    /// The first one signs.
    keys: Vec<Zeroizing<[u8; 32]>>,
}

impl Signer {
    pub(crate) fn new(keys: Vec<Zeroizing<[u8; 32]>>) -> Self {
        Self { keys }
    }

    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        mac(&self.keys[0], message).finalize().into_bytes().into()
    }

    /// Whether one of our keys signed this message. Takes the same time wherever they differ.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.keys
            .iter()
            .any(|key| mac(key, message).verify_slice(signature).is_ok())
    }
}

fn mac(key: &[u8; 32], message: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} keys)", self.keys.len())
    }
}
