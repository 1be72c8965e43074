//! API tokens as text: `trn_KIND_RANDOM_CRC`. The checksum lets scanners and people tell a token
//! from a typo without asking the server; only the SHA-256 is stored.

use domain::Secret;
use domain::access::TokenKind;
use sha2::{Digest, Sha256};

/// A new token, shown once.
#[derive(Debug)]
pub struct TokenText {
    pub text: Secret<String>,
    pub hash: String,
    pub last_six: String,
}

impl TokenText {
    pub fn random(kind: TokenKind) -> Self {
        Self::of_word(kind.as_str())
    }

    /// One that is kept apart from users' and runs' tokens: `word` says what it is for.
    pub fn of_word(word: &str) -> Self {
        let random = bs58::encode(rand::random::<[u8; 24]>()).into_string();
        let body = format!("trn_{word}_{random}");
        let text = format!("{body}_{:08x}", crc32fast::hash(body.as_bytes()));
        Self {
            hash: hash_token(&text),
            last_six: text[text.len() - 6..].to_owned(),
            text: Secret::new(text),
        }
    }
}

/// What a token is looked up by.
pub fn hash_token(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// Whether `text` can be one of our tokens at all: cheap, before the database is asked.
pub fn is_well_formed(text: &str) -> bool {
    text.len() < 200
        && text.starts_with("trn_")
        && text
            .rsplit_once('_')
            .is_some_and(|(body, sum)| sum == format!("{:08x}", crc32fast::hash(body.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_told_from_a_token() {
        let token = TokenText::random(TokenKind::User);
        let text = token.text.expose();
        assert!(is_well_formed(text));
        assert!(!is_well_formed(&text.replacen(
            "trn_user_",
            "trn_user_x",
            1
        )));
        assert_eq!(token.hash, hash_token(text));
    }
}
