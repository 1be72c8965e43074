//! Opens piece by piece, holding one chunk.

use hpke::aead::AeadCtxR;
use hpke::{Deserializable, Kem as HpkeKem, OpModeR, setup_receiver};

use super::keys::RecipientKey;
use super::{Aead, CHUNK_SIZE, FIXED_LENGTH, HEADER_LENGTH, Kdf, Kem, info, recipient_of};
use crate::cipher::TAG_LENGTH;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::record::{FRAME_LENGTH, Frame};

/// Opens what a [`super::Sealer`] made: feed bytes as they come, take chunks until there is none,
/// and finish. Each chunk is genuine when it is given out; that none is missing is known after
/// [`Opener::finish`].
pub struct Opener<'a> {
    key: &'a RecipientKey,
    context: Context<'a>,
    unread: Vec<u8>,
    hpke: Option<AeadCtxR<Aead, Kdf, Kem>>,
    size: u64,
    ended: bool,
}

impl<'a> Opener<'a> {
    pub fn new(key: &'a RecipientKey, context: Context<'a>) -> Self {
        Self {
            key,
            context,
            unread: Vec::new(),
            hpke: None,
            size: 0,
            ended: false,
        }
    }

    /// Takes further sealed bytes.
    pub fn feed(&mut self, sealed: &[u8]) {
        self.unread.extend_from_slice(sealed);
    }

    /// The next chunk of plaintext, if enough bytes have been fed.
    pub fn next_chunk(&mut self) -> Result<Option<Vec<u8>>> {
        if self.ended {
            return match self.unread.is_empty() {
                true => Ok(None),
                false => Err(Error::Format {
                    what: "bytes after the end",
                }),
            };
        }
        let hpke = match &mut self.hpke {
            Some(hpke) => hpke,
            None => {
                let Some(header) = self.unread.first_chunk::<HEADER_LENGTH>() else {
                    return Ok(None);
                };
                let hpke = receive(self.key, &self.context, header)?;
                self.unread.drain(..HEADER_LENGTH);
                self.hpke.insert(hpke)
            }
        };
        let Some((frame, rest)) = self.unread.split_first_chunk::<FRAME_LENGTH>() else {
            return Ok(None);
        };
        let frame = Frame::read(*frame);
        if frame.length > CHUNK_SIZE + TAG_LENGTH {
            return Err(Error::Format {
                what: "a chunk that is too long",
            });
        }
        let Some(sealed) = rest.get(..frame.length) else {
            return Ok(None);
        };
        let plaintext = hpke
            .open(sealed, &[u8::from(frame.last)])
            .map_err(|_| Error::Tampered)?;
        self.unread.drain(..FRAME_LENGTH + frame.length);
        self.size += plaintext.len() as u64;
        self.ended = frame.last;
        Ok(Some(plaintext))
    }

    /// Checks that it was whole and tells how much plaintext there was.
    pub fn finish(mut self) -> Result<u64> {
        match self.next_chunk()? {
            Some(_) => Err(Error::Format {
                what: "a sealed thing that wasn't read to its end",
            }),
            None if self.ended => Ok(self.size),
            None => Err(Error::Format {
                what: "a sealed thing that was cut short",
            }),
        }
    }
}

fn receive(
    key: &RecipientKey,
    context: &Context<'_>,
    header: &[u8; HEADER_LENGTH],
) -> Result<AeadCtxR<Aead, Kdf, Kem>> {
    let found = recipient_of(header)?;
    if found != key.id() {
        return Err(Error::WrongKey {
            found,
            given: key.id(),
        });
    }
    let (fixed, encapsulated) = header.split_at(FIXED_LENGTH);
    let encapsulated =
        <Kem as HpkeKem>::EncappedKey::from_bytes(encapsulated).map_err(|_| Error::Tampered)?;
    setup_receiver(
        &OpModeR::Base,
        key.private(),
        &encapsulated,
        &info(context, fixed),
    )
    .map_err(|_| Error::Tampered)
}
