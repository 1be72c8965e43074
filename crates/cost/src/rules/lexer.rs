//! Words of a rule's line.

use rust_decimal::Decimal;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Number(Decimal),
    /// As written between the quotes; `{…}` is left for the parser.
    Text(String),
    Symbol(&'static str),
}

/// Longest first, so that `<=` is not `<` and `=`.
const SYMBOLS: [&str; 26] = [
    "??", "||", "&&", "==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ",", ".", "=", "@",
    "|", "?", ":", "+", "-", "*", "/", "!", "%",
];

/// Splits a line; `#` starts a comment.
pub(super) fn tokens(line: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let first = rest.chars().next().unwrap_or(' ');
        let taken = if first == '"' {
            let end = rest[1..].find('"').ok_or("a text has no end")?;
            found.push(Token::Text(rest[1..=end].to_owned()));
            end + 2
        } else if first.is_ascii_digit() {
            let end = number_end(rest);
            let number = crate::money::parse(&rest[..end]).ok_or("a number can't be read")?;
            found.push(Token::Number(number));
            end
        } else if first.is_alphabetic() || first == '_' {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            found.push(Token::Word(rest[..end].to_owned()));
            end
        } else {
            let symbol = SYMBOLS
                .iter()
                .find(|symbol| rest.starts_with(**symbol))
                .ok_or_else(|| format!("{first:?} means nothing here"))?;
            found.push(Token::Symbol(symbol));
            symbol.len()
        };
        rest = rest[taken..].trim_start();
    }
    Ok(found)
}

/// `12`, `0.5`, `6e9`, `1e-3`.
fn number_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = 0;
    while let Some(byte) = bytes.get(end) {
        let exponent_sign = matches!(byte, b'-' | b'+')
            && end > 0
            && bytes[end - 1] == b'e'
            && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        let exponent = *byte == b'e'
            && bytes
                .get(end + 1)
                .is_some_and(|next| next.is_ascii_digit() || *next == b'-');
        let point = *byte == b'.' && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        if !(byte.is_ascii_digit() || point || exponent || exponent_sign) {
            break;
        }
        end += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_words_and_symbols_are_told_apart() {
        let found = tokens("a.b >= 6e9 + 0.5 # more").unwrap();
        assert_eq!(found.len(), 7);
        assert_eq!(found[4], Token::Number(Decimal::from(6_000_000_000_u64)));
        assert!(tokens("\"open").is_err());
    }
}
