//! Lines of CSV for spreadsheets.

use super::model::{Field, InScope, Said};

/// The first line.
pub(super) const HEADER: [&str; 9] = [
    "environment",
    "workspace",
    "run",
    "policy",
    "change",
    "before",
    "after",
    "before_messages",
    "after_messages",
];

/// What stands in the column `change` of a run that can't be judged.
const UNJUDGEABLE: &str = "unjudgeable";

fn messages(said: &Said) -> String {
    let mut lines: Vec<String> = said.error.iter().cloned().collect();
    lines.extend(said.messages.iter().map(|denial| denial.message.clone()));
    if said.omitted > 0 {
        lines.push(format!("and {} more", said.omitted));
    }
    lines.join("\n")
}

/// A text that no spreadsheet takes for a formula: messages and names are written by others.
fn plain(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return format!("'{text}");
    }
    text.to_owned()
}

pub(super) fn field(field: &Field) -> [String; 9] {
    [
        plain(&field.environment_name),
        plain(&field.workspace_name),
        field.run_id.to_string(),
        plain(&field.policy),
        field.change.to_string(),
        field.before.result.clone(),
        field.after.result.clone(),
        plain(&messages(&field.before)),
        plain(&messages(&field.after)),
    ]
}

pub(super) fn unjudgeable(run: &InScope) -> [String; 9] {
    [
        plain(&run.environment_name),
        plain(&run.workspace_name),
        run.run_id.to_string(),
        String::new(),
        UNJUDGEABLE.to_owned(),
        String::new(),
        String::new(),
        String::new(),
        plain(run.reason.as_deref().unwrap_or_default()),
    ]
}

/// Lines as they go out.
pub(super) fn lines<R: AsRef<[S]>, S: AsRef<str>>(rows: &[R]) -> Result<Vec<u8>, std::io::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer
            .write_record(row.as_ref().iter().map(|cell| cell.as_ref().as_bytes()))
            .map_err(std::io::Error::other)?;
    }
    writer
        .into_inner()
        .map_err(|error| std::io::Error::other(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_formula() {
        assert_eq!(plain("=HYPERLINK(\"x\")"), "'=HYPERLINK(\"x\")");
        assert_eq!(plain("a=b"), "a=b");
        let text = lines(&[["a,b", "c\nd"]]).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "\"a,b\",\"c\nd\"\n");
    }
}
