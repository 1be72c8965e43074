//! Seals piece by piece, holding one chunk.

use hpke::aead::AeadCtxS;
use hpke::{OpModeS, Serializable, setup_sender};

use super::keys::RecipientPublicKey;
use super::{Aead, CHUNK_SIZE, Kdf, Kem, fixed_header, info};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::record::Frame;

/// Turns plaintext into something only the recipient can open. Every call appends to `out` what is
/// ready.
pub struct Sealer {
    hpke: AeadCtxS<Aead, Kdf, Kem>,
    /// Less than a chunk, or exactly one: see [`Sealer::write`].
    pending: Vec<u8>,
    size: u64,
}

impl Sealer {
    /// Begins; the header goes to `out`.
    ///
    /// # Errors
    /// [`Error::KeyText`] if the public key is one that no private key belongs to.
    pub fn new(
        recipient: &RecipientPublicKey,
        context: &Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Self> {
        let header = fixed_header(recipient.id());
        let (encapsulated, hpke) = setup_sender::<Aead, Kdf, Kem>(
            &OpModeS::Base,
            recipient.key(),
            &info(context, &header),
        )
        .map_err(|_| Error::KeyText)?;
        out.extend_from_slice(&header);
        out.extend_from_slice(&encapsulated.to_bytes());
        Ok(Self {
            hpke,
            pending: Vec::with_capacity(CHUNK_SIZE),
            size: 0,
        })
    }

    /// Takes further plaintext. A full chunk waits for more, because the last one is marked.
    pub fn write(&mut self, mut plaintext: &[u8], out: &mut Vec<u8>) {
        while !plaintext.is_empty() {
            if self.pending.len() == CHUNK_SIZE {
                self.seal_pending(false, out);
            }
            let room = CHUNK_SIZE - self.pending.len();
            let (now, later) = plaintext.split_at(room.min(plaintext.len()));
            self.pending.extend_from_slice(now);
            plaintext = later;
        }
    }

    /// Ends with the last chunk and tells how much plaintext there was.
    pub fn finish(mut self, out: &mut Vec<u8>) -> u64 {
        self.seal_pending(true, out);
        self.size
    }

    fn seal_pending(&mut self, last: bool, out: &mut Vec<u8>) {
        let sealed = self
            .hpke
            .seal(&self.pending, &[u8::from(last)])
            .expect("far below the limits on size and number of messages");
        out.extend_from_slice(
            &Frame {
                length: sealed.len(),
                last,
            }
            .to_bytes(),
        );
        out.extend_from_slice(&sealed);
        self.size += self.pending.len() as u64;
        self.pending.clear();
    }
}
