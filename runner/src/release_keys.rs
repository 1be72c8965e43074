//! Who may have signed a release: checks a detached OpenPGP signature (RFC 4880, 5.2.3) against
//! pinned keys.
//!
//! Only what release keys use is read: RSA keys and binary signatures of version 4 over SHA-256, 384
//! or 512. The file with the keys is the trust anchor, so bindings, user ids and expiry dates in it
//! decide nothing: an old copy of a key whose owner has prolonged it stays good. Decided against a
//! whole OpenPGP library: it brings over a hundred crates for one RSA verification, which ring does.

use base64::Engine;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents,
};

const HASHICORP: &str = include_str!("../keys/hashicorp.asc");
const OPENTOFU: &str = include_str!("../keys/opentofu.asc");

/// Packet tags (RFC 4880, 4.3).
const SIGNATURE: u8 = 2;
const PUBLIC_KEY: u8 = 6;
const PUBLIC_SUBKEY: u8 = 14;
/// Algorithms (9.1): RSA, and RSA for signing only.
const RSA: [u8; 2] = [1, 3];
/// A signature of a binary document (5.2.1).
const BINARY: u8 = 0;

/// Why a signature is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("there is no usable key in it: RSA keys of OpenPGP version 4 are wanted, in armour")]
    NoKey,
    #[error("it is no OpenPGP signature that can be checked (RSA, version 4, SHA-2)")]
    Unreadable,
    #[error("none of the known release keys made it")]
    Foreign,
}

/// The keys that releases are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseKeys(Vec<Key>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl ReleaseKeys {
    /// The keys of an engine's makers.
    pub fn of_makers(engine: &str) -> Self {
        let text = if engine == "tofu" {
            OPENTOFU
        } else {
            HASHICORP
        };
        Self::parse(text).unwrap_or(Self(Vec::new()))
    }

    /// Every key of a file of armoured ones.
    ///
    /// # Errors
    /// [`SignatureError::NoKey`].
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        let mut keys = Vec::new();
        for block in armoured(text) {
            for (tag, body) in packets(&block).unwrap_or_default() {
                if tag == PUBLIC_KEY || tag == PUBLIC_SUBKEY {
                    keys.extend(key(body));
                }
            }
        }
        if keys.is_empty() {
            return Err(SignatureError::NoKey);
        }
        Ok(Self(keys))
    }

    /// Whether one of the keys signed `data`. The signature is binary or armoured.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let text = std::str::from_utf8(signature).unwrap_or_default();
        let binary = armoured(text).into_iter().next();
        let binary = binary.unwrap_or_else(|| signature.to_vec());
        let packets = packets(&binary).ok_or(SignatureError::Unreadable)?;
        let made: Vec<Made<'_>> = packets
            .iter()
            .filter(|(tag, _)| *tag == SIGNATURE)
            .filter_map(|(_, body)| made(body))
            .collect();
        if made.is_empty() {
            return Err(SignatureError::Unreadable);
        }
        let good = made
            .iter()
            .any(|it| self.0.iter().any(|key| it.is_by(key, data)));
        good.then_some(()).ok_or(SignatureError::Foreign)
    }
}

/// A signature and what it says of itself, which is signed too.
struct Made<'a> {
    parameters: &'static RsaParameters,
    signed: &'a [u8],
    number: &'a [u8],
}

impl Made<'_> {
    fn is_by(&self, key: &Key, data: &[u8]) -> bool {
        let Some(missing) = key.modulus.len().checked_sub(self.number.len()) else {
            return false;
        };
        let mut number = vec![0; missing];
        number.extend_from_slice(self.number);
        let mut message = data.to_vec();
        message.extend_from_slice(self.signed);
        message.extend_from_slice(&[4, 0xff]);
        let length = u32::try_from(self.signed.len()).unwrap_or(u32::MAX);
        message.extend_from_slice(&length.to_be_bytes());
        let public = RsaPublicKeyComponents {
            n: &key.modulus,
            e: &key.exponent,
        };
        public.verify(self.parameters, &message, &number).is_ok()
    }
}

fn made(body: &[u8]) -> Option<Made<'_>> {
    let &[4, BINARY, algorithm, hash, high, low, ..] = body else {
        return None;
    };
    if !RSA.contains(&algorithm) {
        return None;
    }
    let parameters = match hash {
        8 => &RSA_PKCS1_2048_8192_SHA256,
        9 => &RSA_PKCS1_2048_8192_SHA384,
        10 => &RSA_PKCS1_2048_8192_SHA512,
        _ => return None,
    };
    let end = 6 + usize::from(u16::from_be_bytes([high, low]));
    let signed = body.get(..end)?;
    let unsigned = u16_at(body, end)?;
    // Two bytes of the hash follow, as a quick look that nothing depends on.
    let (number, _) = number(body.get(end + 2 + unsigned + 2..)?)?;
    Some(Made {
        parameters,
        signed,
        number,
    })
}

fn key(body: &[u8]) -> Option<Key> {
    let &[4, _, _, _, _, algorithm, ref rest @ ..] = body else {
        return None;
    };
    if !RSA.contains(&algorithm) {
        return None;
    }
    let (modulus, rest) = number(rest)?;
    let (exponent, _) = number(rest)?;
    Some(Key {
        modulus: modulus.to_vec(),
        exponent: exponent.to_vec(),
    })
}

/// A multiprecision integer (3.2) without leading zeros, and what follows it.
fn number(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u16_at(bytes, 0)?.div_ceil(8);
    let rest = bytes.get(2..)?;
    (rest.len() >= length).then(|| rest.split_at(length))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let found: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(usize::from(u16::from_be_bytes(found)))
}

/// Tags and bodies (4.2); `None` for what is cut off or has no definite length.
fn packets(mut bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut packets = Vec::new();
    while let Some((&first, rest)) = bytes.split_first() {
        if first & 0x80 == 0 {
            return None;
        }
        let (tag, length, head) = if first & 0x40 == 0 {
            let size = match first & 3 {
                0 => 1,
                1 => 2,
                2 => 4,
                _ => return None,
            };
            ((first >> 2) & 0xf, big_endian(rest.get(..size)?), size)
        } else {
            let (length, size) = match *rest.first()? {
                short @ ..192 => (usize::from(short), 1),
                two @ 192..224 => {
                    let low = usize::from(*rest.get(1)?);
                    (((usize::from(two) - 192) << 8) + low + 192, 2)
                }
                255 => (big_endian(rest.get(1..5)?), 5),
                224..255 => return None,
            };
            (first & 0x3f, length, size)
        };
        let body = rest.get(head..head.checked_add(length)?)?;
        packets.push((tag, body));
        bytes = &rest[head + length..];
    }
    Some(packets)
}

fn big_endian(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |number, byte| (number << 8) | usize::from(*byte))
}

/// The content of every armoured block (6.2). The checksum at its end protects against accidents
/// only, and so does the signature.
fn armoured(text: &str) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while lines.any(|line| line.starts_with("-----BEGIN PGP ")) {
        let mut body = String::new();
        let mut in_headers = true;
        for line in lines.by_ref() {
            if line.starts_with("-----END PGP ") {
                break;
            }
            if in_headers {
                in_headers = !line.is_empty();
            } else if !line.starts_with('=') {
                body.push_str(line);
            }
        }
        blocks.extend(base64::engine::general_purpose::STANDARD.decode(body));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with GnuPG; the signing key is a subkey.
    const KEY: &str = include_str!("../tests/runner/release/key.asc");
    const SUMS: &[u8] = include_bytes!("../tests/runner/release/terraform_1.99.0_SHA256SUMS");
    const BINARY: &[u8] = include_bytes!("../tests/runner/release/terraform_1.99.0_SHA256SUMS.sig");
    const TOFU: &[u8] = include_bytes!("../tests/runner/release/tofu_1.99.0_SHA256SUMS");
    const ARMOURED: &[u8] = include_bytes!("../tests/runner/release/tofu_1.99.0_SHA256SUMS.gpgsig");

    #[test]
    fn a_signature_holds_for_what_was_signed_alone() {
        let keys = ReleaseKeys::parse(KEY).unwrap();
        assert_eq!(keys.verify(SUMS, BINARY), Ok(()));
        assert_eq!(keys.verify(TOFU, ARMOURED), Ok(()));
        assert_eq!(keys.verify(TOFU, BINARY), Err(SignatureError::Foreign));
        let mut changed = SUMS.to_vec();
        changed[0] ^= 1;
        assert_eq!(keys.verify(&changed, BINARY), Err(SignatureError::Foreign));
        let makers = ReleaseKeys::of_makers("terraform");
        assert_eq!(makers.verify(SUMS, BINARY), Err(SignatureError::Foreign));
    }

    #[test]
    fn the_keys_of_both_makers_can_be_read() {
        let sizes = |engine: &str| {
            let keys = ReleaseKeys::of_makers(engine).0;
            keys.iter()
                .map(|key| key.modulus.len() * 8)
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes("terraform"), [4096; 4]);
        assert_eq!(sizes("tofu"), [4096; 2]);
    }

    #[test]
    fn garbage_is_no_signature() {
        let keys = ReleaseKeys::parse(KEY).unwrap();
        let cut = (0..BINARY.len()).map(|end| &BINARY[..end]);
        for garbage in cut.chain([&b"<html>"[..], b"", &[0xff; 40], &[0x88, 3, 4, 0, 1]]) {
            assert_eq!(keys.verify(SUMS, garbage), Err(SignatureError::Unreadable));
        }
        assert_eq!(ReleaseKeys::parse("hello"), Err(SignatureError::NoKey));
        assert_eq!(
            ReleaseKeys::parse("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA"),
            Err(SignatureError::NoKey)
        );
    }
}
