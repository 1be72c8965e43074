//! The join token: what an operator copies from a pool to a new runner.
//!
//! `trj_` and, in base64url without padding: one byte of version (1), 32 random bytes (the secret),
//! the SHA-256 of the runner CA's certificate (32 bytes), and a CRC-32 (big endian) over all of
//! that. The CA's fingerprint makes the very first connection safe without any public authority;
//! the CRC tells a mistyped token from a wrong one. It says nothing about the pool: the server
//! stores the SHA-256 of the secret and looks that up.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Secret;

use crate::ca::{Fingerprint, fingerprint};

/// What every join token begins with.
pub const PREFIX: &str = "trj_";
const VERSION: u8 = 1;
const SECRET: usize = 32;
const LENGTH: usize = 1 + SECRET + 32 + 4;

/// A parsed join token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinToken {
    secret: Secret<Vec<u8>>,
    ca: Fingerprint,
}

/// Why a text is no join token. Never shows the text.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum JoinTokenError {
    #[error("a join token begins with `trj_`")]
    Prefix,
    #[error("the join token is damaged or incomplete: copy it again")]
    Damaged,
    #[error("the join token is of format {0}, which this version does not know: upgrade it")]
    Version(u8),
}

impl JoinToken {
    /// A new token for a gateway whose CA has this fingerprint.
    pub fn generate(ca: Fingerprint) -> Self {
        let secret: [u8; SECRET] = rand::random();
        Self {
            secret: Secret::new(secret.to_vec()),
            ca,
        }
    }

    /// Reads the text form; white space around it is ignored.
    pub fn parse(text: &str) -> Result<Self, JoinTokenError> {
        let body = text
            .trim()
            .strip_prefix(PREFIX)
            .ok_or(JoinTokenError::Prefix)?;
        if body.len() > 2 * LENGTH {
            return Err(JoinTokenError::Damaged);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(body)
            .map_err(|_| JoinTokenError::Damaged)?;
        let bytes = Secret::new(bytes);
        let (payload, sum) = bytes
            .expose()
            .split_last_chunk::<4>()
            .ok_or(JoinTokenError::Damaged)?;
        if crc32fast::hash(payload) != u32::from_be_bytes(*sum) {
            return Err(JoinTokenError::Damaged);
        }
        match payload.split_first() {
            Some((&VERSION, rest)) if rest.len() == SECRET + 32 => {
                let (secret, ca) = rest.split_at(SECRET);
                let ca = ca.try_into().map_err(|_| JoinTokenError::Damaged)?;
                Ok(Self {
                    secret: Secret::new(secret.to_vec()),
                    ca,
                })
            }
            Some((&VERSION, _)) | None => Err(JoinTokenError::Damaged),
            Some((&version, _)) => Err(JoinTokenError::Version(version)),
        }
    }

    /// The text form. Show it once.
    pub fn to_text(&self) -> Secret<String> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(VERSION);
        bytes.extend_from_slice(self.secret.expose());
        bytes.extend_from_slice(&self.ca);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        let bytes = Secret::new(bytes);
        Secret::new(format!(
            "{PREFIX}{}",
            URL_SAFE_NO_PAD.encode(bytes.expose())
        ))
    }

    /// SHA-256 of the secret: what the server stores and looks up.
    pub fn secret_hash(&self) -> [u8; 32] {
        fingerprint(self.secret.expose())
    }

    /// SHA-256 of the CA's certificate.
    pub fn ca_fingerprint(&self) -> Fingerprint {
        self.ca
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_form_round_trips() {
        let token = JoinToken::generate([7; 32]);
        let text = token.to_text();
        assert!(text.expose().starts_with("trj_"));
        assert_eq!(
            JoinToken::parse(&format!(" {}\n", text.expose())),
            Ok(token)
        );
    }

    #[test]
    fn two_tokens_differ() {
        assert_ne!(JoinToken::generate([7; 32]), JoinToken::generate([7; 32]));
    }

    #[test]
    fn a_slip_is_called_damage() {
        let text = JoinToken::generate([7; 32]).to_text();
        let mut slip = text.expose().clone();
        let last = slip.pop().unwrap();
        assert_eq!(JoinToken::parse(&slip), Err(JoinTokenError::Damaged));
        slip.push(if last == 'A' { 'E' } else { 'A' });
        assert_eq!(JoinToken::parse(&slip), Err(JoinTokenError::Damaged));
        assert_eq!(JoinToken::parse("trn_x"), Err(JoinTokenError::Prefix));
        assert_eq!(JoinToken::parse("trj_"), Err(JoinTokenError::Damaged));
    }

    #[test]
    fn a_later_format_says_so() {
        let mut bytes = vec![2, 1, 2, 3];
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        assert_eq!(JoinToken::parse(&text), Err(JoinTokenError::Version(2)));
    }

    #[test]
    fn debug_hides_the_secret() {
        assert!(format!("{:?}", JoinToken::generate([7; 32])).contains("[secret]"));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,200}") {
            let _ = JoinToken::parse(&text);
            let _ = JoinToken::parse(&format!("{PREFIX}{text}"));
        }
    }
}
