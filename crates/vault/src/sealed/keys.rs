//! The key pair of a recipient.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Secret;
use hpke::{Deserializable, Kem as _, Serializable};
use sha2::{Digest, Sha256};

use super::Kem;
use crate::error::{Error, Result};
use crate::key::KeyId;

pub(super) type PublicKey = <Kem as hpke::Kem>::PublicKey;
pub(super) type PrivateKey = <Kem as hpke::Kem>::PrivateKey;

/// The half that opens. Kept sealed under the installation key.
#[derive(Clone)]
pub struct RecipientKey {
    private: PrivateKey,
    public: RecipientPublicKey,
}

impl RecipientKey {
    pub fn generate() -> Self {
        let (private, public) = Kem::gen_keypair();
        Self {
            private,
            public: RecipientPublicKey(public),
        }
    }

    /// The 32 bytes of the private key, to be sealed.
    pub fn to_bytes(&self) -> Secret<Vec<u8>> {
        Secret::new(self.private.to_bytes().to_vec())
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let private = PrivateKey::from_bytes(bytes).map_err(|_| Error::KeyText)?;
        let public = RecipientPublicKey(Kem::sk_to_pk(&private));
        Ok(Self { private, public })
    }

    pub fn public(&self) -> &RecipientPublicKey {
        &self.public
    }

    pub fn id(&self) -> KeyId {
        self.public.id()
    }

    pub(super) fn private(&self) -> &PrivateKey {
        &self.private
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecipientKey({})", self.id())
    }
}

/// The half that seals; not secret. Written as base64url without padding.
#[derive(Clone, PartialEq, Eq)]
pub struct RecipientPublicKey(PublicKey);

impl RecipientPublicKey {
    /// The beginning of the key's SHA-256.
    pub fn id(&self) -> KeyId {
        let digest: [u8; 32] = Sha256::digest(self.0.to_bytes()).into();
        KeyId::from_bytes(*digest.first_chunk().expect("32 bytes hold an id"))
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        PublicKey::from_bytes(bytes)
            .map(Self)
            .map_err(|_| Error::KeyText)
    }

    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }

    pub(super) fn key(&self) -> &PublicKey {
        &self.0
    }
}

impl fmt::Display for RecipientPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.to_bytes()))
    }
}

impl fmt::Debug for RecipientPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecipientPublicKey({self})")
    }
}

impl FromStr for RecipientPublicKey {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::from_bytes(
            &URL_SAFE_NO_PAD
                .decode(text.trim())
                .map_err(|_| Error::KeyText)?,
        )
    }
}
