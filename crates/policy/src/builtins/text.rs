//! Values and numbers as OPA and Go write them.

use std::fmt::Write;

use regorus::Value;

/// A term as OPA prints it: strings quoted inside of collections, sets in braces.
pub(super) fn of(value: &Value) -> String {
    let mut out = String::new();
    write_term(value, &mut out);
    out
}

fn write_term(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.format_decimal()),
        Value::String(text) => out.push_str(&quoted(text)),
        Value::Array(items) => {
            out.push('[');
            write_list(items.iter(), out);
            out.push(']');
        }
        Value::Set(items) if items.iter().next().is_none() => out.push_str("set()"),
        Value::Set(items) => {
            out.push('{');
            write_list(items.iter(), out);
            out.push('}');
        }
        Value::Object(fields) => {
            out.push('{');
            for (at, (key, item)) in fields.iter_sorted().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_term(key, out);
                out.push_str(": ");
                write_term(item, out);
            }
            out.push('}');
        }
        Value::Undefined => out.push_str("<undefined>"),
    }
}

fn write_list<'a>(items: impl Iterator<Item = &'a Value>, out: &mut String) {
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        write_term(item, out);
    }
}

/// A Go string literal.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        escape(character, '"', &mut out);
    }
    out.push('"');
    out
}

/// A Go character literal.
pub(super) fn quoted_character(character: char) -> String {
    let mut out = String::from("'");
    escape(character, '\'', &mut out);
    out.push('\'');
    out
}

fn escape(character: char, quote: char, out: &mut String) {
    match character {
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        '\\' => out.push_str("\\\\"),
        other if other == quote => {
            out.push('\\');
            out.push(other);
        }
        other if u32::from(other) < 0x20 || other == '\u{7f}' => {
            let _ = write!(out, "\\x{:02x}", u32::from(other));
        }
        other => out.push(other),
    }
}

/// `%g`: the shortest text that reads back as the same number, with an exponent where it is below
/// -4 or not below `threshold`.
pub(super) fn float_general(number: f64, precision: Option<usize>, threshold: i32) -> String {
    if !number.is_finite() || number == 0.0 {
        return plain(number);
    }
    let scientific = match precision {
        Some(digits) => format!("{:.*e}", digits.max(1) - 1, number),
        None => format!("{number:e}"),
    };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = mantissa.chars().filter(char::is_ascii_digit).count();
    let limit = match precision {
        Some(precision) => i32::try_from(precision.max(1)).unwrap_or(i32::MAX),
        None => threshold.max(i32::try_from(digits).unwrap_or(threshold).min(threshold)),
    };
    let mantissa = if mantissa.contains('.') {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    } else {
        mantissa
    };
    if exponent < -4 || exponent >= limit {
        return with_exponent(mantissa, exponent);
    }
    let decimals = (i32::try_from(digits).unwrap_or(0) - 1 - exponent).max(0);
    let text = format!("{:.*}", usize::try_from(decimals).unwrap_or(0), number);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// `%e`: one digit, the fraction, and an exponent of at least two digits.
pub(super) fn float_exponent(number: f64, precision: Option<usize>) -> String {
    if !number.is_finite() {
        return plain(number);
    }
    let text = match precision {
        Some(digits) => format!("{number:.digits$e}"),
        None => format!("{number:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    with_exponent(mantissa, exponent.parse().unwrap_or(0))
}

fn with_exponent(mantissa: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

fn plain(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        "+Inf".to_owned()
    } else {
        "0".to_owned()
    }
}
