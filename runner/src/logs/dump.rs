//! Keeps a raw state that terraform prints when it can write it nowhere out of the log.

use step::DumpDetector;

/// Said in its place.
const INSTEAD: &[u8] = b"[terraform printed the whole state here, because it could write it \
nowhere. The state has been kept; it is not shown.]\n";
/// A line that is longer than this without a dump in it holds none.
const DECIDED: usize = 256;

/// Passes output on until a dump begins, and nothing after that.
#[derive(Debug, Default)]
pub(super) struct DumpGuard {
    detector: DumpDetector,
    /// Bytes that may belong to a dump, and the offset of the first of them.
    held: Vec<u8>,
    start: u64,
    found: bool,
}

impl DumpGuard {
    /// Takes the next bytes; gives those that surely are no part of a dump.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.found {
            return Vec::new();
        }
        self.held.extend_from_slice(bytes);
        if let Some(dump) = self.detector.feed(bytes) {
            self.found = true;
            let before = usize::try_from(dump.saturating_sub(self.start)).unwrap_or(usize::MAX);
            let mut safe = std::mem::take(&mut self.held);
            safe.truncate(before);
            safe.extend_from_slice(INSTEAD);
            return safe;
        }
        let safe: Vec<u8> = self.held.drain(..undecided(&self.held)).collect();
        self.start += safe.len() as u64;
        safe
    }

    /// The output has ended.
    pub(super) fn end(self) -> Vec<u8> {
        if self.found { Vec::new() } else { self.held }
    }
}

/// Where the first line begins that may yet turn out to be the beginning of a dump.
fn undecided(held: &[u8]) -> usize {
    let line = line_start(held);
    if held.len() - line >= DECIDED {
        return held.len();
    }
    let previous = line_start(&held[..line.saturating_sub(1)]);
    let is_brace = line > 0 && held[previous..line].trim_ascii() == b"{";
    if is_brace { previous } else { line }
}

fn line_start(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn in_chunks(text: &str, size: usize) -> String {
        let mut guard = DumpGuard::default();
        let mut out = Vec::new();
        for chunk in text.as_bytes().chunks(size) {
            out.extend(guard.push(chunk));
        }
        out.extend(guard.end());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn stops_before_a_dump() {
        for dump in [
            "{\n  \"version\": 4,\n  \"secret\": 1\n}\n",
            "{\"@level\":\"error\",\"@message\":\"Emergency state dump\",\"state\":{\"secret\":1}}\n",
        ] {
            for size in 1..120 {
                let text = in_chunks(&format!("Applying\n{{\n}}\n{dump}"), size);
                assert!(
                    text.starts_with("Applying\n{\n}\n[terraform printed"),
                    "{text}"
                );
                assert!(!text.contains("secret"), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn ordinary_output_passes(text in "[{}a\n]{0,80}", size in 1_usize..20) {
            prop_assert_eq!(in_chunks(&text, size), text);
        }
    }
}
