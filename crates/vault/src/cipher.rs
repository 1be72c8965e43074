//! AES-256-GCM under a key derived for one sealed thing.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

pub(crate) const SALT_LENGTH: usize = 32;
pub(crate) const TAG_LENGTH: usize = 16;

/// HKDF-SHA256 with a label that says what the bytes are for.
pub(crate) fn derive(key: &[u8; 32], salt: &[u8], label: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut derived = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), key)
        .expand(label, derived.as_mut_slice())
        .expect("32 bytes are within HKDF's limit");
    derived
}

pub(crate) struct Cipher(Aes256Gcm);

impl Cipher {
    pub(crate) fn derive(key: &[u8; 32], salt: &[u8; SALT_LENGTH], label: &[u8]) -> Self {
        Self(Aes256Gcm::new((&*derive(key, salt, label)).into()))
    }

    /// Seals in place; the tag is appended.
    pub(crate) fn seal(&self, nonce: [u8; 12], associated: &[u8], data: &mut Vec<u8>) {
        self.0
            .encrypt_in_place(&Nonce::from(nonce), associated, data)
            .expect("far below the cipher's size limit");
    }

    /// Opens in place; the tag is removed.
    pub(crate) fn open(
        &self,
        nonce: [u8; 12],
        associated: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<()> {
        self.0
            .decrypt_in_place(&Nonce::from(nonce), associated, data)
            .map_err(|_| Error::Tampered)
    }
}
