//! Replaces secrets in a stream of bytes, however it is cut into chunks.
//!
//! Each secret is looked for as it is, and as base64 (in its three alignments), escaped for URLs,
//! and escaped for JSON as Go and as everybody else does it. A long secret over several lines is
//! also looked for line by line, because rendering indents it.
//! Secrets shorter than [`SHORTEST`] bytes, `true`, `false` and `null` are not masked: replacing
//! them would destroy the log without hiding anything.

use std::io::{self, Write};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Shorter values are not masked.
pub const SHORTEST: usize = 4;
/// Longer values are masked by this much of their beginning and line by line.
const LONGEST: usize = 16 * 1024;
/// What stands where a secret was.
pub const REPLACEMENT: &[u8] = b"***";

/// What `encodeURIComponent` and Go's `url.QueryEscape` leave alone.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The secrets of one job, ready to be looked for.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// Sorted, without duplicates.
    patterns: Vec<Vec<u8>>,
    automaton: Option<AhoCorasick>,
    longest: usize,
}

impl Secrets {
    /// Prepares `values`; those that can't be masked are left out.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut patterns = Vec::new();
        for value in values {
            add_value(value, &mut patterns);
        }
        patterns.retain(|pattern: &Vec<u8>| pattern.len() >= SHORTEST);
        patterns.sort();
        patterns.dedup();
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
        let automaton = (!patterns.is_empty())
            .then(|| {
                AhoCorasick::builder()
                    .match_kind(MatchKind::LeftmostLongest)
                    .build(&patterns)
            })
            .and_then(Result::ok);
        Self {
            patterns,
            automaton,
            longest,
        }
    }

    /// The same without what could be a number or a word of JSON outside its strings: for whole
    /// JSON documents, which must stay readable.
    pub fn for_json<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let is_number = |value: &str| serde_json::from_str::<serde_json::Number>(value).is_ok();
        Self::new(values.into_iter().filter(|value| !is_number(value.trim())))
    }

    /// Masks a whole text at once.
    pub fn mask_text(&self, text: &str) -> String {
        let mut out = Vec::new();
        let mut masker = Masker::new(self.clone());
        masker.push(text.as_bytes(), &mut out);
        masker.finish(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Whether some secret begins with all of `start` and is longer.
    fn may_begin(&self, start: &[u8]) -> bool {
        let at = self
            .patterns
            .partition_point(|pattern| pattern.as_slice() <= start);
        self.patterns
            .get(at)
            .is_some_and(|pattern| pattern.starts_with(start))
    }
}

/// Masks a stream; holds back only what may be the beginning of a secret.
#[derive(Debug)]
pub struct Masker {
    secrets: Secrets,
    held: Vec<u8>,
}

impl Masker {
    pub fn new(secrets: Secrets) -> Self {
        Self {
            secrets,
            held: Vec::new(),
        }
    }

    /// Takes the next bytes and appends to `out` what is final.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(bytes);
        let safe = self.safe_length();
        self.emit(safe, out);
    }

    /// The stream has ended.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.emit(self.held.len(), out);
    }

    /// How much of what is held can't be part of a secret whose end has not come yet.
    fn safe_length(&self) -> usize {
        let length = self.held.len();
        let first = length.saturating_sub(self.secrets.longest.saturating_sub(1));
        (first..length)
            .find(|at| self.secrets.may_begin(&self.held[*at..]))
            .unwrap_or(length)
    }

    /// Emits everything that begins before `safe`.
    fn emit(&mut self, safe: usize, out: &mut Vec<u8>) {
        let mut done = 0;
        if let Some(automaton) = &self.secrets.automaton {
            for found in automaton.find_iter(&self.held) {
                if found.start() >= safe {
                    break;
                }
                out.extend_from_slice(&self.held[done..found.start()]);
                out.extend_from_slice(REPLACEMENT);
                done = found.end();
            }
        }
        if done < safe {
            out.extend_from_slice(&self.held[done..safe]);
            done = safe;
        }
        self.held.drain(..done);
    }
}

/// Masks what is written through it.
#[derive(Debug)]
pub struct MaskedWriter<W> {
    out: W,
    masker: Masker,
    ready: Vec<u8>,
}

impl<W: Write> MaskedWriter<W> {
    pub fn new(out: W, secrets: Secrets) -> Self {
        Self {
            out,
            masker: Masker::new(secrets),
            ready: Vec::new(),
        }
    }

    /// Writes what was held back.
    ///
    /// # Errors
    /// Those of the inner writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.masker.finish(&mut self.ready);
        self.out.write_all(&self.ready)?;
        Ok(self.out)
    }
}

impl<W: Write> Write for MaskedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.ready.clear();
        self.masker.push(bytes, &mut self.ready);
        self.out.write_all(&self.ready)?;
        self.ready.clear();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn add_value(value: &str, patterns: &mut Vec<Vec<u8>>) {
    let value = value.trim_matches(['\n', '\r']);
    if value.len() < SHORTEST || matches!(value, "true" | "false" | "null") {
        return;
    }
    add_forms(floor(value, LONGEST), patterns);
    for line in value
        .lines()
        .map(str::trim)
        .filter(|line| line.len() >= 2 * SHORTEST)
    {
        if line != value {
            add_forms(floor(line, LONGEST), patterns);
        }
    }
}

fn add_forms(value: &str, patterns: &mut Vec<Vec<u8>>) {
    patterns.push(value.as_bytes().to_vec());
    let json = json_escaped(value);
    patterns.push(go_json_escaped(&json).into_bytes());
    patterns.push(json_escaped(&json).into_bytes());
    patterns.push(value.replace("${", "$${").replace("%{", "%%{").into_bytes());
    patterns.push(json.into_bytes());
    let url = utf8_percent_encode(value, UNRESERVED).to_string();
    patterns.push(url.replace("%20", "+").into_bytes());
    patterns.push(
        utf8_percent_encode(value, NON_ALPHANUMERIC)
            .to_string()
            .into_bytes(),
    );
    patterns.push(url.into_bytes());
    for offset in 0..3 {
        for form in base64_at(value.as_bytes(), offset) {
            patterns.push(form);
        }
    }
}

/// The base64 characters that depend on `value` alone when it stands `offset` bytes into a group.
fn base64_at(value: &[u8], offset: usize) -> [Vec<u8>; 2] {
    let mut padded = vec![0; offset];
    padded.extend_from_slice(value);
    // Characters that also hold bits of what comes before, and of what comes after.
    let first = (offset * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    [
        STANDARD_NO_PAD.encode(&padded),
        URL_SAFE_NO_PAD.encode(&padded),
    ]
    .map(|text| {
        text.as_bytes()
            .get(first..last)
            .unwrap_or_default()
            .to_vec()
    })
}

fn json_escaped(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Go escapes these too, so that JSON can stand inside HTML.
fn go_json_escaped(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

fn floor(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn in_chunks(secrets: &Secrets, text: &[u8], sizes: &[usize]) -> Vec<u8> {
        let mut masker = Masker::new(secrets.clone());
        let mut out = Vec::new();
        let mut rest = text;
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let size = (*sizes.next().unwrap()).clamp(1, rest.len());
            masker.push(&rest[..size], &mut out);
            rest = &rest[size..];
        }
        masker.finish(&mut out);
        out
    }

    fn mask(values: &[&str], text: &str) -> String {
        Secrets::new(values.iter().copied()).mask_text(text)
    }

    #[test]
    fn finds_every_form() {
        let secret = "p&ss<w\"rd> é/+";
        for text in [
            secret.to_owned(),
            json_escaped(secret),
            go_json_escaped(&json_escaped(secret)),
            "p%26ss%3Cw%22rd%3E%20%C3%A9%2F%2B".to_owned(),
            "p%26ss%3Cw%22rd%3E+%C3%A9%2F%2B".to_owned(),
        ] {
            assert_eq!(mask(&[secret], &format!("a {text} b")), "a *** b", "{text}");
        }
    }

    #[test]
    fn finds_base64_at_every_alignment() {
        for before in ["", "x", "xy", "xyz"] {
            for after in ["", "1", "12"] {
                let text = STANDARD.encode(format!("{before}hunter2-hunter2{after}"));
                let masked = mask(&["hunter2-hunter2"], &text);
                assert!(masked.contains("***"), "{before} {after}: {masked}");
                assert!(masked.len() <= 4 + 3 + 8, "{masked}");
            }
        }
    }

    #[test]
    fn finds_lines_of_a_long_secret() {
        let key = "-----BEGIN KEY-----\nabcdefghijkl\nmnopqrstuvwx\n-----END KEY-----\n";
        let text = "│ -----BEGIN KEY-----\n│ abcdefghijkl\n│ mnopqrstuvwx\n";
        assert_eq!(mask(&[key], text), "│ ***\n│ ***\n│ ***\n");
    }

    #[test]
    fn leaves_what_is_too_short() {
        assert_eq!(mask(&["", "abc", "true"], "abc is true"), "abc is true");
    }

    #[test]
    fn holds_nothing_back_that_can_not_be_a_secret() {
        let mut masker = Masker::new(Secrets::new(["a-very-long-secret"]));
        let mut out = Vec::new();
        masker.push(b"plan: a line\n", &mut out);
        assert_eq!(out, b"plan: a line\n");
        masker.push(b"and a-very-", &mut out);
        assert_eq!(out, b"plan: a line\nand ");
        masker.push(b"short one", &mut out);
        assert_eq!(out, b"plan: a line\nand a-very-short one");
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(
            secrets in prop::collection::vec("[ab]{4,9}", 0..4),
            text in "[abc]{0,80}",
            sizes in prop::collection::vec(1_usize..12, 1..8),
        ) {
            let secrets = Secrets::new(secrets.iter().map(String::as_str));
            let whole = in_chunks(&secrets, text.as_bytes(), &[text.len().max(1)]);
            prop_assert_eq!(in_chunks(&secrets, text.as_bytes(), &sizes), whole);
        }

        #[test]
        fn no_form_comes_through_in_chunks(
            secret in "[a-z0-9 &\"/+<é]{12,40}",
            before in "[A-Z]{0,5}",
            sizes in prop::collection::vec(1_usize..9, 1..8),
        ) {
            prop_assume!(secret.trim() == secret);
            let secrets = Secrets::new([secret.as_str()]);
            let json = json_escaped(&secret);
            for form in [
                secret.clone(),
                go_json_escaped(&json),
                json_escaped(&json),
                json,
                utf8_percent_encode(&secret, UNRESERVED).to_string(),
                utf8_percent_encode(&secret, NON_ALPHANUMERIC).to_string(),
            ] {
                let masked = in_chunks(&secrets, format!("{before}{form}.").as_bytes(), &sizes);
                let masked = String::from_utf8(masked).unwrap();
                prop_assert_eq!(&masked, &format!("{before}***."), "{}", form);
            }
            for text in [STANDARD.encode(format!("{before}{secret}")),
                URL_SAFE_NO_PAD.encode(format!("{before}{secret}"))] {
                let masked = in_chunks(&secrets, text.as_bytes(), &sizes);
                let masked = String::from_utf8(masked).unwrap();
                // What is left are the characters that also hold bits of something else.
                let left = (before.len() * 8).div_ceil(6) + 3 + 4;
                prop_assert!(masked.contains("***") && masked.len() <= left, "{}", masked);
            }
        }

        #[test]
        fn no_secret_comes_through(
            secret in "[a-z0-9]{8,40}",
            before in "[A-Z ]{0,20}",
            after in "[A-Z ]{0,20}",
            sizes in prop::collection::vec(1_usize..12, 1..8),
        ) {
            let secrets = Secrets::new([secret.as_str()]);
            let text = format!("{before}{secret}{after}");
            let masked = in_chunks(&secrets, text.as_bytes(), &sizes);
            prop_assert_eq!(String::from_utf8(masked).unwrap(), format!("{before}***{after}"));
        }
    }
}
