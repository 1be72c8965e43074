//! Finds a raw state in terraform's output.
//!
//! terraform prints its whole state, with every secret in it, when it can write it nowhere: with
//! `-json` as one line of stdout whose message is `Emergency state dump`, without as an indented
//! object on stderr (both seen with 1.11.4 on a full disk). A runner that uploads output stops
//! before such a line; the supervisor takes the state out of it.

/// What the JSON form has near its beginning.
const JSON_MESSAGE: &[u8] = br#""@message":"Emergency state dump""#;
/// How far into a line the message may be.
const JSON_MESSAGE_WITHIN: usize = 200;
/// Second line of the indented form, without its indentation.
const HUMAN_SECOND_LINE: &[u8] = br#""version": 4,"#;

/// Watches an output stream, fed in pieces of any size.
#[derive(Debug, Clone, Default)]
pub struct DumpDetector {
    offset: u64,
    line_start: u64,
    line: Vec<u8>,
    /// Where a line began that is only `{`.
    brace: Option<u64>,
    found: Option<u64>,
}

impl DumpDetector {
    /// Takes the next bytes; returns the offset in the stream of the line that a dump begins with,
    /// once one has been seen. That line may be before this piece: hold back a line that is `{`
    /// until the next one is known.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<u64> {
        for &byte in bytes {
            if self.found.is_some() {
                break;
            }
            self.offset += 1;
            if byte == b'\n' {
                self.end_line();
            } else if self.line.len() < JSON_MESSAGE_WITHIN {
                self.line.push(byte);
                if byte == b'"' && self.line.ends_with(JSON_MESSAGE) {
                    self.found = Some(self.line_start);
                }
            }
        }
        self.found
    }

    fn end_line(&mut self) {
        let text = self.line.trim_ascii();
        if let (Some(start), true) = (self.brace, text == HUMAN_SECOND_LINE) {
            self.found = Some(start);
        }
        self.brace = (self.line.trim_ascii_end() == b"{").then_some(self.line_start);
        self.line.clear();
        self.line_start = self.offset;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, piece: usize) -> Option<u64> {
        let mut detector = DumpDetector::default();
        text.as_bytes()
            .chunks(piece)
            .fold(None, |_, bytes| detector.feed(bytes))
    }

    #[test]
    fn finds_both_forms_in_pieces_of_any_size() {
        let human = "creating\n{\n  \"version\": 4,\n  \"serial\": 1\n}\n";
        let json =
            "{\"a\":1}\n{\"@level\":\"info\",\"@message\":\"Emergency state dump\",\"state\":{}}\n";
        for piece in 1..80 {
            assert_eq!(find(human, piece), Some(9), "{piece}");
            assert_eq!(find(json, piece), Some(8), "{piece}");
        }
    }

    #[test]
    fn leaves_ordinary_output_alone() {
        assert_eq!(find("{\n  \"version\": 3,\n}\n\"version\": 4,\n", 7), None);
        let quoted = r#"{"@message":"said: \"@message\":\"Emergency state dump\""}"#;
        assert_eq!(find(quoted, 7), None);
    }
}
