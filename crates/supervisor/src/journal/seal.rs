//! What leaves this machine's memory is readable only by the control plane.

use std::io::{self, Write};

use step::StateSpec;
use vault::sealed::{RecipientPublicKey, seal_to};

/// Seals states to one public key.
#[derive(Debug)]
pub(crate) struct Seal {
    recipient: RecipientPublicKey,
    account: String,
    id: String,
    pub(crate) key_id: String,
}

impl Seal {
    /// # Errors
    /// A sentence about the key, if it is none.
    pub(crate) fn new(spec: &StateSpec) -> Result<Self, String> {
        let recipient = spec
            .journal_public_key
            .parse()
            .map_err(|_| "the journal's public key is no X25519 key".to_owned())?;
        let (account, id) = spec.seal_identity();
        Ok(Self {
            recipient,
            account: account.to_owned(),
            id: id.to_owned(),
            key_id: spec.journal_key_id.clone(),
        })
    }

    /// Writes the sealed form of `plaintext`.
    ///
    /// # Errors
    /// Those of `out`.
    pub(crate) fn write(&self, plaintext: &[u8], mut out: impl Write) -> io::Result<()> {
        let context = vault::Context {
            account: &self.account,
            kind: step::SEAL_KIND,
            id: &self.id,
        };
        match seal_to(&self.recipient, &context, plaintext, &mut out) {
            Ok(_) => Ok(()),
            Err(vault::Error::Io { source }) => Err(source),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}
