//! Records as lines of CSV, for spreadsheets.

use super::store::Found;
use crate::http::csv::plain;

/// The first line.
pub(super) const HEADER: [&str; 21] = [
    "sequence",
    "at",
    "id",
    "actor_kind",
    "actor_id",
    "actor_name",
    "token_last_six",
    "action",
    "outcome",
    "target_type",
    "target_id",
    "environment_id",
    "environment_name",
    "workspace_id",
    "workspace_name",
    "source_address",
    "request_id",
    "detail",
    "before_digest",
    "after_digest",
    "hash",
];

pub(super) fn row(found: &Found) -> [String; 21] {
    let entry = &found.entry;
    let text = |it: &Option<String>| it.as_deref().map(plain).unwrap_or_default();
    [
        entry.sequence.map(|it| it.to_string()).unwrap_or_default(),
        entry
            .at
            .to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        plain(&entry.id),
        plain(&entry.actor_kind),
        plain(&entry.actor_id),
        plain(&entry.actor_name),
        text(&entry.token_last_six),
        plain(&entry.action),
        plain(&entry.outcome),
        plain(&entry.target_kind),
        plain(&entry.target_id),
        text(&entry.environment_id),
        text(&found.environment_name),
        text(&entry.workspace_id),
        text(&found.workspace_name),
        text(&entry.source_address),
        plain(&entry.request_id),
        plain(&entry.detail.0.to_string()),
        text(&entry.before_digest),
        text(&entry.after_digest),
        text(&entry.hash),
    ]
}
