//! Bytes as they arrive, cut into lines.

/// Longest line that is kept whole. Terraform's own stay far below; what is longer comes in pieces,
/// which are then no JSON and pass as text.
const MAX_LINE: usize = 4 * 1024 * 1024;

/// Collects bytes and gives whole lines without their ends. Never holds more than one line's limit.
#[derive(Debug, Default)]
pub struct LineBuffer {
    bytes: Vec<u8>,
    /// Everything before this was given out.
    start: usize,
    /// No line end lies before this.
    searched: usize,
}

impl LineBuffer {
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole line. Bytes that are no UTF-8 are replaced.
    pub fn next_line(&mut self) -> Option<String> {
        let unsearched = &self.bytes[self.searched..];
        if let Some(found) = unsearched.iter().position(|byte| *byte == b'\n') {
            let end = self.searched + found;
            return Some(self.give(end, end + 1));
        }
        self.searched = self.bytes.len();
        let held = self.bytes.len() - self.start;
        (held >= MAX_LINE).then(|| self.give(self.bytes.len(), self.bytes.len()))
    }

    /// What is left when no more bytes will come.
    pub fn rest(&mut self) -> Option<String> {
        if let Some(line) = self.next_line() {
            return Some(line);
        }
        let end = self.bytes.len();
        (end > self.start).then(|| self.give(end, end))
    }

    fn give(&mut self, end: usize, next: usize) -> String {
        let line = &self.bytes[self.start..end];
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
        self.start = next;
        self.searched = next;
        line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(chunks: &[Vec<u8>]) -> Vec<String> {
        let mut buffer = LineBuffer::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            buffer.push(chunk);
            lines.extend(std::iter::from_fn(|| buffer.next_line()));
        }
        lines.extend(std::iter::from_fn(|| buffer.rest()));
        lines
    }

    #[test]
    fn the_last_line_needs_no_end() {
        assert_eq!(all(&[b"a\r\nb\n\nc".to_vec()]), ["a", "b", "", "c"]);
    }

    #[test]
    fn an_endless_line_comes_in_pieces() {
        let piece = vec![b'x'; MAX_LINE];
        assert_eq!(all(&[piece.clone(), piece]).len(), 2);
    }

    proptest! {
        #[test]
        fn chunk_borders_don_t_matter(text in "[a-c\n]{0,60}", cut in 0..60_usize) {
            let cut = cut.min(text.len());
            let (left, right) = text.as_bytes().split_at(cut);
            prop_assert_eq!(all(&[left.to_vec(), right.to_vec()]), all(&[text.clone().into_bytes()]));
        }
    }
}
