//! How much a plan changes, from terraform's own JSON lines.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use serde::Deserialize;
use step::{Command, files};

use crate::command::Step;

/// A line longer than this is no summary.
const MOST: u64 = 64 * 1024;
const SUMMARY: &[u8] = b"\"type\":\"change_summary\"";

#[derive(Deserialize)]
struct Summary {
    changes: Changes,
}

#[derive(Deserialize)]
struct Changes {
    #[serde(default)]
    add: u64,
    #[serde(default)]
    change: u64,
    #[serde(default)]
    remove: u64,
}

/// Whether the step is to end after `command` because of what it plans. What can't be read is not
/// too large: the step goes on as it is.
pub(crate) fn is_too_large(step: &Step, command: &Command) -> bool {
    let Some(limit) = &step.spec.ends_early else {
        return false;
    };
    if limit.after != command.name {
        return false;
    }
    let default = || PathBuf::from(files::OUTPUT).join(format!("{}.stdout", command.name));
    let path = command.stdout.clone().unwrap_or_else(default);
    let Ok(Some(file)) = step.root.open_file(&path) else {
        return false;
    };
    changes(BufReader::new(file)).is_some_and(|count| count > limit.more_changes_than)
}

/// Of the last summary.
fn changes(mut lines: impl BufRead) -> Option<u64> {
    let mut found = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines
            .by_ref()
            .take(MOST)
            .read_until(b'\n', &mut line)
            .ok()?
            == 0
        {
            return found;
        }
        if line.windows(SUMMARY.len()).any(|it| it == SUMMARY)
            && let Ok(Summary { changes }) = serde_json::from_slice(&line)
        {
            found = Some(changes.add + changes.change + changes.remove);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_found_among_other_lines() {
        let long = format!("{{\"x\":\"{}\"}}", "y".repeat(200_000));
        let text = format!(
            "stray\n{long}\n{{\"type\":\"change_summary\",\"changes\":{{\"add\":3,\"import\":0,\
             \"change\":2,\"remove\":1,\"operation\":\"plan\"}}}}\n{{\"type\":\"outputs\"}}\n"
        );
        assert_eq!(changes(text.as_bytes()), Some(6));
        assert_eq!(changes(&b"{}\n"[..]), None);
    }
}
