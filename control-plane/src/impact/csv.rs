//! Lines of CSV for spreadsheets.

use super::model::{Field, InScope, Said};
use crate::http::csv::plain;

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
