//! References with a constant beginning: `data.terraform.deny`, `input["a b"].c`.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the engine has many kinds of expression; two make paths"
)]

use regorus::unstable::{Expr, Span};

/// The constant beginning of a reference, and whether more follows that isn't constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    /// The first one is a variable's name; empty when the reference starts from something else.
    pub(super) parts: Vec<String>,
    pub(super) open: bool,
}

/// Reads the path of a reference or a lone name.
pub(super) fn of(expression: &Expr) -> Path {
    match expression {
        Expr::Var { span, .. } => Path {
            parts: vec![span.text().to_owned()],
            open: false,
        },
        Expr::RefDot { refr, field, .. } => longer(of(refr), Some(field.0.text().to_owned())),
        Expr::RefBrack { refr, index, .. } => longer(of(refr), constant(index)),
        _ => Path {
            parts: Vec::new(),
            open: true,
        },
    }
}

fn longer(mut path: Path, part: Option<String>) -> Path {
    match part {
        Some(part) if !path.open => path.parts.push(part),
        _ => path.open = true,
    }
    path
}

fn constant(index: &Expr) -> Option<String> {
    match index {
        Expr::String { value, .. } | Expr::RawString { value, .. } => {
            value.as_string().ok().map(|text| text.to_string())
        }
        _ => None,
    }
}

/// The name that a reference starts from, where it stands.
pub(super) fn root(expression: &Expr) -> Option<&Span> {
    match expression {
        Expr::Var { span, .. } => Some(span),
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => root(refr),
        _ => None,
    }
}

/// Writes a path below `data` as Rego reads it: `data.a["b c"]`.
pub(crate) fn data(parts: &[String]) -> String {
    let mut text = String::from("data");
    for part in parts {
        if is_name(part) {
            text.push('.');
            text.push_str(part);
        } else {
            text.push('[');
            text.push_str(&serde_json::Value::from(part.as_str()).to_string());
            text.push(']');
        }
    }
    text
}

fn is_name(part: &str) -> bool {
    let mut letters = part.chars();
    letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}
