//! A value in every encoding in which it could lie about.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// What is looked for of one value: names and bytes.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

fn form(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Form {
    Form {
        name: name.into(),
        bytes: bytes.into(),
    }
}

/// What of the base64 depends on `value` alone, when it stands `offset` bytes into a group.
fn base64_at(value: &[u8], offset: usize, engine: &impl Engine) -> String {
    let mut padded = vec![0; offset];
    padded.extend_from_slice(value);
    let text = engine.encode(&padded);
    let (first, last) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
    text[first..last].to_owned()
}

fn json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn percent(value: &str) -> String {
    let kept = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    let one = |b: u8| {
        if kept(b) {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    value.bytes().map(one).collect()
}

/// Every form of `value`.
pub(super) fn forms(value: &str) -> Vec<Form> {
    let bytes = value.as_bytes();
    let utf16: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut forms = vec![
        form("as it is", bytes),
        form("escaped for JSON", json(value)),
        form("escaped for JSON twice", json(&json(value))),
        form("escaped for URLs", percent(value)),
        form("in hexadecimal", hex::encode(bytes)),
        form("in capital hexadecimal", hex::encode_upper(bytes)),
        form("in UTF-16", utf16),
    ];
    for offset in 0..3 {
        for (name, text) in [
            ("base64", base64_at(bytes, offset, &STANDARD)),
            ("base64 for URLs", base64_at(bytes, offset, &URL_SAFE)),
        ] {
            forms.push(form(format!("in {name}, {offset} bytes on"), text));
        }
    }
    forms
}
