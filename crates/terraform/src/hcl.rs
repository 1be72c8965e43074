//! The little of HCL's syntax that is written here: quoted strings, and whether a text is one
//! whole expression.
//!
//! Decided against a full HCL parser in this crate: a value typed by a person is handed to Terraform
//! unread, and only has to be kept from ending early and starting something else.

/// A quoted HCL string that stands for exactly `text`: no interpolation, no directives.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' | '%' if characters.peek() == Some(&'{') => {
                quoted.push(c);
                quoted.push(c);
            }
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Reads a quoted string without interpolation at the start of `text`; gives it with the number of
/// bytes it took.
pub fn unquote_prefix(text: &str) -> Option<(String, usize)> {
    let mut plain = String::new();
    let mut characters = text.char_indices().peekable();
    if characters.next()?.1 != '"' {
        return None;
    }
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((plain, at + 1)),
            '\\' => match characters.next()?.1 {
                'n' => plain.push('\n'),
                'r' => plain.push('\r'),
                't' => plain.push('\t'),
                '"' => plain.push('"'),
                '\\' => plain.push('\\'),
                'u' => plain.push(code_point(&mut characters, 4)?),
                'U' => plain.push(code_point(&mut characters, 8)?),
                _ => return None,
            },
            '$' | '%' if text[at + 1..].starts_with('{') => return None,
            '$' | '%' if text[at + 1..].starts_with(c) && text[at + 2..].starts_with('{') => {
                plain.push(c);
                plain.push('{');
                characters.next();
                characters.next();
            }
            c => plain.push(c),
        }
    }
    None
}

fn code_point(characters: &mut impl Iterator<Item = (usize, char)>, digits: usize) -> Option<char> {
    let mut value = 0;
    for _ in 0..digits {
        value = value * 16 + characters.next()?.1.to_digit(16)?;
    }
    char::from_u32(value)
}

/// Whether `text` can stand behind `name =` without ending the expression early: brackets close in
/// order, strings and heredocs end, and nothing follows on a line of its own.
///
/// What it lets through may still be wrong; Terraform says so with the variable's name.
pub fn is_one_expression(text: &str) -> bool {
    if text.trim().is_empty() {
        return false;
    }
    let mut scanner = Scanner {
        bytes: text.as_bytes(),
        at: 0,
        open: Vec::new(),
        seen: false,
    };
    scanner.expression() && scanner.open.is_empty()
}

/// Nesting beyond this is refused.
const MAX_DEPTH: usize = 256;

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Closing bytes awaited. A quote means that the scanner is inside a string.
    open: Vec<u8>,
    /// Something of the expression has been seen on the outermost level.
    seen: bool,
}

impl Scanner<'_> {
    fn expression(&mut self) -> bool {
        while let Some(&byte) = self.bytes.get(self.at) {
            let inside_string = self.open.last() == Some(&b'"');
            let fine = if inside_string {
                self.in_string(byte)
            } else {
                self.in_code(byte)
            };
            if !fine || self.open.len() > MAX_DEPTH {
                return false;
            }
        }
        true
    }

    fn in_string(&mut self, byte: u8) -> bool {
        let next = self.bytes.get(self.at + 1).copied();
        match byte {
            b'"' => {
                self.open.pop();
                self.at += 1;
            }
            b'\\' => self.at += 2,
            b'\n' => return false,
            b'$' | b'%' if next == Some(byte) && self.bytes.get(self.at + 2) == Some(&b'{') => {
                self.at += 3;
            }
            b'$' | b'%' if next == Some(b'{') => {
                self.open.push(b'}');
                self.at += 2;
            }
            _ => self.at += 1,
        }
        self.at <= self.bytes.len()
    }

    fn in_code(&mut self, byte: u8) -> bool {
        let next = self.bytes.get(self.at + 1).copied();
        match byte {
            b'"' => self.open.push(b'"'),
            b'(' => self.open.push(b')'),
            b'[' => self.open.push(b']'),
            b'{' => self.open.push(b'}'),
            b')' | b']' | b'}' if self.open.pop() != Some(byte) => return false,
            b'#' => return self.line_comment(),
            b'/' if next == Some(b'/') => return self.line_comment(),
            b'/' if next == Some(b'*') => return self.block_comment(),
            b'<' if next == Some(b'<') => return self.heredoc(),
            b'\n' if self.open.is_empty() && self.seen => return self.only_blank_follows(),
            _ => {}
        }
        self.seen |= !byte.is_ascii_whitespace();
        self.at += 1;
        true
    }

    fn line_comment(&mut self) -> bool {
        self.at = self.find(b"\n").unwrap_or(self.bytes.len());
        true
    }

    fn block_comment(&mut self) -> bool {
        self.at += 2;
        match self.find(b"*/") {
            Some(end) => {
                self.at = end + 2;
                true
            }
            None => false,
        }
    }

    fn heredoc(&mut self) -> bool {
        let Some(end_of_line) = self.find(b"\n") else {
            return false;
        };
        let label = self.bytes[self.at + 2..end_of_line].trim_ascii();
        let label = label.strip_prefix(b"-").unwrap_or(label);
        if label.is_empty()
            || !label
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || *b == b'_')
        {
            return false;
        }
        let mut start = end_of_line + 1;
        for line in self.bytes[start..].split(|b| *b == b'\n') {
            if line.trim_ascii() == label {
                self.at = start + line.len();
                self.seen = true;
                return true;
            }
            start += line.len() + 1;
        }
        false
    }

    fn only_blank_follows(&mut self) -> bool {
        let blank = self.bytes[self.at..].iter().all(u8::is_ascii_whitespace);
        self.at = self.bytes.len();
        blank
    }

    fn find(&self, needle: &[u8]) -> Option<usize> {
        let rest = self.bytes.get(self.at..)?;
        rest.windows(needle.len())
            .position(|window| window == needle)
            .map(|found| self.at + found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quoted_strings_say_nothing_but_themselves() {
        assert_eq!(quote("a\"b\\c\n"), r#""a\"b\\c\n""#);
        assert_eq!(quote("${x} %{y} $ $$"), r#""$${x} %%{y} $ $$""#);
    }

    #[test]
    fn one_expression_is_told_from_two() {
        for good in [
            "1",
            "[1, 2]",
            "{\n a = 1\n b = \"}\"\n}",
            "\"${join(\",\", [\"}\"])}\"",
            "<<EOT\nx = 1\n} \nEOT\n",
            "<<-EOT\n  x\n  EOT",
            " [ # ]\n]\n",
            "/* ] */ null",
            "\"$${\"",
        ] {
            assert!(is_one_expression(good), "{good:?}");
        }
        for bad in [
            "",
            "  ",
            "1\nb = 2",
            "]",
            "[",
            "(1))\nb = (2",
            "\"a",
            "\"a\nb\"",
            "<<EOT\nx",
            "/* 1",
        ] {
            assert!(!is_one_expression(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn quoting_is_undone(text in any::<String>()) {
            let quoted = quote(&text);
            prop_assert_eq!(unquote_prefix(&quoted), Some((text, quoted.len())));
            prop_assert!(is_one_expression(&quoted));
        }

        #[test]
        fn any_text_is_answered(text in any::<String>()) {
            let _ = is_one_expression(&text);
            let _ = unquote_prefix(&text);
        }
    }
}
