//! What the journal needs to know of a state: that it is whole, and which one it is.

use std::fmt::Write;

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The identifying fields of a state. Everything else is read past, so that its syntax is checked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Head {
    pub(crate) version: u64,
    pub(crate) serial: i64,
    pub(crate) lineage: String,
}

impl Head {
    /// `None` if `bytes` are no whole state: torn, empty, or something else.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes)
            .ok()
            .filter(|head| !head.lineage.is_empty())
    }
}

/// The plaintext's hashes: SHA-256 to tell states apart, MD5 because Terraform's contract has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hashes {
    pub(crate) sha256_hex: String,
    pub(crate) md5_hex: String,
}

impl Hashes {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self {
            sha256_hex: hex(&Sha256::digest(bytes)),
            md5_hex: hex(&md5::Md5::digest(bytes)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WHOLE: &str = r#"{"version":4,"terraform_version":"1.11.4","serial":7,"lineage":"l",
        "outputs":{"a":{"value":"}","type":"string"}},"resources":[{"instances":[{}]}]}"#;

    #[test]
    fn knows_a_whole_state() {
        let head = Head {
            version: 4,
            serial: 7,
            lineage: "l".into(),
        };
        assert_eq!(Head::parse(WHOLE.as_bytes()), Some(head.clone()));
        assert_eq!(Head::parse(format!("{WHOLE}\n").as_bytes()), Some(head));
    }

    #[test]
    fn knows_what_is_none() {
        for text in ["", "{}", "null", r#"{"version":4,"serial":1,"lineage":""}"#] {
            assert_eq!(Head::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Head::parse(format!("{WHOLE}{WHOLE}").as_bytes()), None);
    }

    proptest! {
        #[test]
        fn no_part_of_a_state_is_whole(cut in 0..WHOLE.len()) {
            prop_assert_eq!(Head::parse(&WHOLE.as_bytes()[..cut]), None);
        }
    }
}
