//! Markers in place of values.

use std::fmt;

use aho_corasick::AhoCorasick;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// Shortest text that is hidden wherever it stands, in bytes.
const SHORTEST_SECRET: usize = 6;
/// Bytes of the keyed hash that are shown.
const SHOWN: usize = 16;

/// Makes markers: `(sensitive)[HASH]`, equal for equal values under one key.
pub(super) struct Marker {
    key: Hmac<Sha256>,
    secrets: Option<AhoCorasick>,
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Marker")
    }
}

impl Marker {
    pub(super) fn new(key: &[u8]) -> Self {
        // HMAC takes keys of any length.
        let key = <Hmac<Sha256> as KeyInit>::new_from_slice(key)
            .unwrap_or_else(|_| <Hmac<Sha256> as KeyInit>::new(&Default::default()));
        Self { key, secrets: None }
    }

    pub(super) fn hide(&mut self, secrets: impl IntoIterator<Item = String>) {
        let secrets: Vec<String> = secrets
            .into_iter()
            .filter(|secret| secret.len() >= SHORTEST_SECRET)
            .collect();
        self.secrets = AhoCorasick::new(secrets).ok();
    }

    /// Puts the marker of a value in its place. What is null tells nothing, and stays.
    pub(super) fn replace(&self, value: &mut Value) {
        if !value.is_null() {
            *value = Value::from(self.of(value));
        }
    }

    fn of(&self, value: &Value) -> String {
        let mut mac = self.key.clone();
        mac.update(value.to_string().as_bytes());
        let hash = mac.finalize().into_bytes();
        format!("(sensitive)[{}]", hex::encode(&hash[..SHOWN]))
    }

    /// Replaces every text that contains a known secret.
    pub(super) fn hide_in(&self, value: &mut Value) {
        let Some(secrets) = &self.secrets else { return };
        match value {
            Value::String(text) if secrets.is_match(text.as_str()) => self.replace(value),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.hide_in(field)),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Replaces what `marks` marks: `true` for a whole value, or the same shape with `true` inside.
pub(super) fn mask(value: &mut Value, marks: &Value, marker: &Marker) {
    match marks {
        Value::Bool(true) => marker.replace(value),
        Value::Object(marks) => {
            for (name, marks) in marks {
                if let Some(value) = value.get_mut(name) {
                    mask(value, marks, marker);
                }
            }
        }
        Value::Array(marks) => {
            for (at, marks) in marks.iter().enumerate() {
                if let Some(value) = value.get_mut(at) {
                    mask(value, marks, marker);
                }
            }
        }
        Value::Bool(false) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}
