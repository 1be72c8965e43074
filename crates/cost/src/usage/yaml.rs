//! The subset of YAML that usage files are written in: maps by indentation, scalars, comments; JSON too.
//!
//! Anchors, tags, flow collections and multi-line texts have no use here, and a full YAML parser would be the
//! largest untrusted-input surface of the crate.

use serde_json::{Map, Value as Json};

use super::UsageError;

/// Maps are nested this deep at most.
const DEEPEST: usize = 16;

struct Line<'a> {
    number: usize,
    indent: usize,
    key: String,
    value: &'a str,
}

pub(super) fn parse(text: &str) -> Result<Json, UsageError> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| UsageError::Line {
            line: error.line(),
            reason: error.to_string(),
        });
    }
    let mut lines = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let trimmed = raw.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') || trimmed == "---" {
            continue;
        }
        lines.push(line(index + 1, raw)?);
    }
    let mut at = 0;
    let map = map(&lines, &mut at, 0, 0)?;
    match lines.get(at) {
        Some(left) => Err(fail(
            left.number,
            "it is indented less than what it belongs to",
        )),
        None => Ok(Json::Object(map)),
    }
}

fn fail(line: usize, reason: &str) -> UsageError {
    UsageError::Line {
        line,
        reason: reason.to_owned(),
    }
}

fn line(number: usize, raw: &str) -> Result<Line<'_>, UsageError> {
    let content = raw.trim_start();
    let indent = raw.len() - content.len();
    if raw[..indent].contains('\t') {
        return Err(fail(number, "tabs can't indent"));
    }
    let (key, rest) = key(content).ok_or_else(|| fail(number, "`name: value` is expected"))?;
    Ok(Line {
        number,
        indent,
        key,
        value: rest,
    })
}

/// Splits off a key, quoted or plain. A plain one may contain `:` and quotes, as addresses do; it ends at `: ` or a
/// `:` at the end.
fn key(content: &str) -> Option<(String, &str)> {
    if let Some(quote) = content.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let close = content[1..].find(quote)? + 1;
        let rest = content[close + 1..].trim_start().strip_prefix(':')?;
        return Some((content[1..close].to_owned(), without_comment(rest)));
    }
    let content = without_comment(content);
    let at = content
        .find(": ")
        .or_else(|| content.ends_with(':').then(|| content.len() - 1))?;
    Some((
        content[..at].trim_end().to_owned(),
        content[at + 1..].trim(),
    ))
}

fn without_comment(text: &str) -> &str {
    let text = text.trim();
    if text.starts_with('#') {
        return "";
    }
    text.split(" #").next().unwrap_or(text).trim()
}

fn map(
    lines: &[Line<'_>],
    at: &mut usize,
    indent: usize,
    depth: usize,
) -> Result<Map<String, Json>, UsageError> {
    let mut found = Map::new();
    while let Some(line) = lines.get(*at) {
        if line.indent < indent {
            break;
        }
        if line.indent > indent {
            return Err(fail(
                line.number,
                "it is indented more than what it belongs to",
            ));
        }
        if depth > DEEPEST {
            return Err(fail(line.number, "it is nested too deeply"));
        }
        *at += 1;
        let nested = lines.get(*at).filter(|next| next.indent > indent);
        let value = match (line.value, nested) {
            ("", Some(next)) => Json::Object(map(lines, at, next.indent, depth + 1)?),
            (text, _) => scalar(text),
        };
        found.insert(line.key.clone(), value);
    }
    Ok(found)
}

fn scalar(text: &str) -> Json {
    let unquoted = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(inner) = unquoted('"').or_else(|| unquoted('\'')) {
        return Json::String(inner.to_owned());
    }
    match text {
        "" | "~" | "null" => Json::Null,
        "true" => Json::Bool(true),
        "false" => Json::Bool(false),
        "{}" => Json::Object(Map::new()),
        "[]" => Json::Array(Vec::new()),
        _ => {
            let number = text.replace('_', "");
            match serde_json::from_str::<serde_json::Number>(&number) {
                Ok(number) => Json::Number(number),
                Err(_) => Json::String(text.to_owned()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plain_keys() {
        let text = "version: 0.1\nresource_usage: # all\n  a.b[\"x\"]:\n    n: 10 # ten\n    s: \"y: z\"\n    d:\n      e: 0.5\n";
        let found = parse(text).unwrap();
        let entry = &found["resource_usage"]["a.b[\"x\"]"];
        assert_eq!(entry["n"], 10);
        assert_eq!(entry["s"], "y: z");
        assert_eq!(entry["d"]["e"], 0.5);
    }

    #[test]
    fn what_is_not_a_map_says_where() {
        let error = parse("a:\n  - b\n").unwrap_err();
        assert!(error.to_string().starts_with("line 2"), "{error}");
        assert!(parse("a: 1\n   b: 2\n").is_err());
    }
}
