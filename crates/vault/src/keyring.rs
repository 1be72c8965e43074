//! The installation keys in force: one that seals, and earlier ones that still open.
//!
//! Rotating: configure the new key with the old one as earlier, rewrap every account key and reseal
//! the installation's secrets, then drop the old key. Objects stay as they are, because their
//! account keys stay the same.

use domain::Secret;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::installation::InstallationKey;
use crate::key::{DataKey, KeyId};
use crate::secret;
use crate::signer::Signer;

const DATA_KEY_KIND: &str = "data-key";

#[derive(Debug, Clone)]
pub struct Keyring {
    current: InstallationKey,
    earlier: Vec<InstallationKey>,
}

impl Keyring {
    pub fn new(current: InstallationKey, earlier: Vec<InstallationKey>) -> Self {
        Self { current, earlier }
    }

    /// The id of the key that seals.
    pub fn current(&self) -> KeyId {
        self.current.id()
    }

    /// The ids of all keys, the one that seals first.
    pub fn ids(&self) -> Vec<KeyId> {
        self.all().map(InstallationKey::id).collect()
    }

    /// Seals an account's data key for its row.
    pub fn wrap(&self, account: &str, key: &DataKey) -> Vec<u8> {
        let id = key.id().to_string();
        self.seal(&data_key_context(account, &id), key.bytes())
    }

    /// Opens an account's data key. `id` is the key's own, from its row.
    pub fn unwrap(&self, account: &str, id: KeyId, wrapped: &[u8]) -> Result<DataKey> {
        let bytes = self.open(&data_key_context(account, &id.to_string()), wrapped)?;
        let bytes = bytes
            .expose()
            .as_slice()
            .try_into()
            .map_err(|_| Error::KeyText)?;
        Ok(DataKey::from_parts(id, bytes))
    }

    /// Moves a data key under the current installation key; nothing if it is there already.
    pub fn rewrap(&self, account: &str, id: KeyId, wrapped: &[u8]) -> Result<Option<Vec<u8>>> {
        self.reseal(&data_key_context(account, &id.to_string()), wrapped)
    }

    /// Seals a secret of the installation, such as the runner CA's private key.
    pub fn seal(&self, context: &Context<'_>, plaintext: &[u8]) -> Vec<u8> {
        secret::seal(&self.current.own_data_key(), context, plaintext)
    }

    /// Opens what [`Keyring::seal`] made, under whichever key of the ring.
    pub fn open(&self, context: &Context<'_>, sealed: &[u8]) -> Result<Secret<Vec<u8>>> {
        let id = secret::key_of(sealed)?;
        let key = self
            .all()
            .find(|key| key.id() == id)
            .ok_or(Error::UnknownKey { id })?;
        secret::open(&key.own_data_key(), context, sealed)
    }

    /// Moves a secret under the current key; nothing if it is there already.
    pub fn reseal(&self, context: &Context<'_>, sealed: &[u8]) -> Result<Option<Vec<u8>>> {
        if secret::key_of(sealed)? == self.current.id() {
            return Ok(None);
        }
        Ok(Some(
            self.seal(context, self.open(context, sealed)?.expose()),
        ))
    }

    /// Signs with the current key, accepts signatures of all. Different labels, different keys.
    pub fn signer(&self, label: &str) -> Signer {
        Signer::new(self.all().map(|key| key.purpose_key(label)).collect())
    }

    fn all(&self) -> impl Iterator<Item = &InstallationKey> {
        std::iter::once(&self.current).chain(&self.earlier)
    }
}

fn data_key_context<'a>(account: &'a str, id: &'a str) -> Context<'a> {
    Context {
        account,
        kind: DATA_KEY_KIND,
        id,
    }
}
