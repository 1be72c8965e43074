//! Output values as Terraform's console writes them: `tolist(["a"])`, `{ "k" = 1 }`, heredocs.

use serde_json::Value;

/// `value` of Terraform type `kind` (its JSON form), written at `indent` columns.
pub(super) fn format_value(value: &Value, kind: &Value, indent: usize) -> String {
    let parts = kind.as_array().map(Vec::as_slice).unwrap_or_default();
    let name = parts.first().unwrap_or(kind).as_str().unwrap_or_default();
    let inner = parts.get(1).unwrap_or(&Value::Null);
    match value {
        Value::Null => null(name),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => string(text, indent),
        Value::Array(elements) => {
            let each = |index: usize| match name {
                "tuple" => inner.get(index).unwrap_or(&Value::Null),
                _ => inner,
            };
            let list = sequence(elements, each, indent);
            match name {
                "list" => format!("tolist({list})"),
                "set" => format!("toset({list})"),
                _ => list,
            }
        }
        Value::Object(members) => {
            let each = |key: &str| match name {
                "object" => inner.get(key).unwrap_or(&Value::Null),
                _ => inner,
            };
            let mapping = mapping(members, each, indent);
            if name == "map" {
                format!("tomap({mapping})")
            } else {
                mapping
            }
        }
    }
}

fn null(name: &str) -> String {
    match name {
        "string" => "tostring(null)",
        "number" => "tonumber(null)",
        "bool" => "tobool(null)",
        _ => "null",
    }
    .to_owned()
}

fn sequence<'t>(elements: &[Value], kind: impl Fn(usize) -> &'t Value, indent: usize) -> String {
    if elements.is_empty() {
        return "[]".to_owned();
    }
    let mut text = String::from("[\n");
    for (index, element) in elements.iter().enumerate() {
        text.push_str(&" ".repeat(indent + 2));
        text.push_str(&format_value(element, kind(index), indent + 2));
        text.push_str(",\n");
    }
    text.push_str(&" ".repeat(indent));
    text.push(']');
    text
}

fn mapping<'t>(
    members: &serde_json::Map<String, Value>,
    kind: impl Fn(&str) -> &'t Value,
    indent: usize,
) -> String {
    if members.is_empty() {
        return "{}".to_owned();
    }
    let mut text = String::from("{\n");
    for (key, member) in members {
        text.push_str(&" ".repeat(indent + 2));
        text.push_str(&string(key, indent + 2));
        text.push_str(" = ");
        text.push_str(&format_value(member, kind(key), indent + 2));
        text.push('\n');
    }
    text.push_str(&" ".repeat(indent));
    text.push('}');
    text
}

fn string(text: &str, indent: usize) -> String {
    if !text.contains('\n') {
        return quoted(text);
    }
    let mut delimiter = String::from("EOT");
    while text.split('\n').any(|line| line.trim() == delimiter) {
        delimiter.push('_');
    }
    let margin = " ".repeat(indent);
    let mut heredoc = format!("<<{}{delimiter}\n", if indent > 0 { "-" } else { "" });
    for line in text.split('\n') {
        heredoc.push_str(&margin);
        heredoc.push_str(line);
        heredoc.push('\n');
    }
    heredoc.push_str(&margin);
    heredoc.push_str(&delimiter);
    heredoc
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() && u32::from(c) < 0x80 => {
                quoted.push_str(&format!("\\x{:02x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_look_as_terraform_writes_them() {
        let formatted = |value: Value, kind: Value| format_value(&value, &kind, 0);
        assert_eq!(formatted(json!("a\"b"), json!("string")), r#""a\"b""#);
        assert_eq!(
            formatted(json!("a\nb\n"), json!("string")),
            "<<EOT\na\nb\n\nEOT"
        );
        assert_eq!(
            formatted(json!(["a"]), json!(["list", "string"])),
            "tolist([\n  \"a\",\n])"
        );
        assert_eq!(
            formatted(json!([1, "x"]), json!(["tuple", ["number", "string"]])),
            "[\n  1,\n  \"x\",\n]"
        );
        assert_eq!(
            formatted(
                json!({"k": {"s": null}}),
                json!(["map", ["object", {"s": "string"}]])
            ),
            "tomap({\n  \"k\" = {\n    \"s\" = tostring(null)\n  }\n})"
        );
        assert_eq!(formatted(json!([]), json!(["set", "string"])), "toset([])");
    }
}
