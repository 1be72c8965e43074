//! Errors and warnings, printed as the CLI prints them: in a box open to the right, with the source
//! line and the values in it.

use std::fmt::Write;

use serde::Deserialize;

/// An error or a warning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Diagnostic {
    pub severity: String,
    pub summary: String,
    pub detail: String,
    /// The resource instance it is about.
    pub address: Option<String>,
    pub range: Option<SourceRange>,
    pub snippet: Option<Snippet>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SourceRange {
    pub filename: String,
    pub start: Position,
    pub end: Position,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Position {
    pub line: u64,
    pub column: u64,
    pub byte: u64,
}

/// The lines of source that it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Snippet {
    /// `resource "aws_instance" "web"`.
    pub context: Option<String>,
    pub code: String,
    pub start_line: u64,
    /// Bytes of `code` that the CLI underlines.
    pub highlight_start_offset: usize,
    pub highlight_end_offset: usize,
    pub values: Vec<ValueStatement>,
    pub function_call: Option<FunctionCall>,
}

/// `var.x` `is "abc"`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default)]
pub struct ValueStatement {
    pub traversal: String,
    pub statement: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FunctionCall {
    pub called_as: String,
    pub signature: Option<Signature>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Signature {
    pub params: Vec<Parameter>,
    pub variadic_param: Option<Parameter>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Parameter {
    pub name: String,
}

/// Columns that text is wrapped to: what the CLI assumes when it has no terminal.
const WIDTH: usize = 78;

impl Diagnostic {
    /// The box, without colours, ending in a line end.
    pub(super) fn render(&self) -> String {
        let mut boxed = String::from("╷\n");
        for line in self.text().lines() {
            boxed.push_str(if line.is_empty() { "│" } else { "│ " });
            boxed.push_str(line);
            boxed.push('\n');
        }
        boxed.push_str("╵\n");
        boxed
    }

    fn text(&self) -> String {
        let severity = match self.severity.as_str() {
            "error" => "Error: ",
            "warning" => "Warning: ",
            _ => "",
        };
        let mut text = format!("{severity}{}\n\n", self.summary);
        self.source(&mut text);
        if !self.detail.is_empty() {
            for line in self.detail.split('\n') {
                let indented = line.starts_with(' ');
                text.push_str(&if indented {
                    line.to_owned()
                } else {
                    wrap(line, WIDTH - 3)
                });
                text.push('\n');
            }
        }
        text
    }

    fn source(&self, text: &mut String) {
        if let Some(address) = &self.address {
            line(text, format_args!("  with {address},"));
        }
        let Some(range) = &self.range else { return };
        let (file, number) = (&range.filename, range.start.line);
        match &self.snippet {
            None => {
                line(
                    text,
                    format_args!("  on {file} line {number}:\n  (source code not available)"),
                );
            }
            Some(snippet) => {
                let context = snippet.context.as_ref().map(|it| format!(", in {it}"));
                let context = context.unwrap_or_default();
                line(text, format_args!("  on {file} line {number}{context}:"));
                snippet.render(text);
            }
        }
        text.push('\n');
    }
}

impl Snippet {
    fn render(&self, text: &mut String) {
        for (offset, code) in (0..).zip(self.code.split('\n')) {
            line(
                text,
                format_args!("{:4}: {code}", self.start_line.saturating_add(offset)),
            );
        }
        let call = self.function_call.as_ref();
        let call = call.and_then(|call| call.signature.as_ref().map(|it| (&call.called_as, it)));
        if self.values.is_empty() && call.is_none() {
            return;
        }
        line(text, format_args!("    ├────────────────"));
        if let Some((name, signature)) = call {
            let mut parameters: Vec<String> =
                signature.params.iter().map(|it| it.name.clone()).collect();
            parameters.extend(
                signature
                    .variadic_param
                    .iter()
                    .map(|it| format!("{}...", it.name)),
            );
            line(
                text,
                format_args!("    │ while calling {name}({})", parameters.join(", ")),
            );
        }
        let mut values: Vec<_> = self.values.iter().collect();
        values.sort();
        for value in values {
            line(
                text,
                format_args!("    │ {} {}", value.traversal, value.statement),
            );
        }
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    let _ = text.write_fmt(arguments);
    text.push('\n');
}

/// Breaks a line at spaces so that none is wider than `width`, long words excepted.
fn wrap(line: &str, width: usize) -> String {
    let mut wrapped = String::with_capacity(line.len());
    let mut column = 0;
    let mut rest = line;
    while !rest.is_empty() {
        let word_at = rest.find(|c: char| c != ' ').unwrap_or(rest.len());
        let word_end = rest[word_at..]
            .find(' ')
            .map_or(rest.len(), |end| word_at + end);
        let word = &rest[word_at..word_end];
        let word_width = word.chars().count();
        if column > 0 && column + word_at + word_width > width {
            wrapped.push('\n');
            column = 0;
        } else {
            wrapped.push_str(&rest[..word_at]);
            column += word_at;
        }
        wrapped.push_str(word);
        column += word_width;
        rest = &rest[word_end..];
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_looks_as_the_cli_prints_it() {
        let diagnostic: Diagnostic = serde_json::from_str(
            r#"{"severity":"error","summary":"Invalid index","detail":"The given key does not identify an element in this collection value: the given index is greater than or equal to the length of the collection.","range":{"filename":"main.tf","start":{"line":5,"column":19,"byte":64},"end":{"line":5,"column":22,"byte":67}},"snippet":{"context":"output \"x\"","code":"  value = var.list[7]","start_line":5,"highlight_start_offset":18,"highlight_end_offset":21,"values":[{"traversal":"var.list","statement":"is list of string with 1 element"}]}}"#,
        )
        .unwrap();
        let expected = "\
╷
│ Error: Invalid index
│
│   on main.tf line 5, in output \"x\":
│    5:   value = var.list[7]
│     ├────────────────
│     │ var.list is list of string with 1 element
│
│ The given key does not identify an element in this collection value: the
│ given index is greater than or equal to the length of the collection.
╵
";
        assert_eq!(diagnostic.render(), expected);
    }

    #[test]
    fn a_warning_without_source_is_short() {
        let diagnostic = Diagnostic {
            severity: "warning".into(),
            summary: "Careful".into(),
            detail: "  kept as it is, however long the line is, because it begins with spaces and so is a list".into(),
            ..Diagnostic::default()
        };
        let text = diagnostic.render();
        assert!(
            text.starts_with("╷\n│ Warning: Careful\n│\n│   kept as it is"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 5);
    }
}
