//! What must hold for any bytes whatever: the bodies of the fuzz targets in `fuzz/`.
//!
//! They live here and not there so that their corpora are replayed by an ordinary `cargo test`.

use crate::lines::{LineBuffer, Operations, Renderer};
use crate::{lines, plan, redact, state};

/// A plan and its schemas: one after the other, parted by a zero byte.
pub fn plans(data: &[u8]) {
    let parts: Vec<_> = data.splitn(2, |byte| *byte == 0).collect();
    let schemas = parts.get(1).copied().unwrap_or(b"{}");
    let _ = plan::summarize(parts[0]);
    let mut document = Vec::new();
    if redact::redact(parts[0], schemas, &mut document).is_ok() {
        let parsed = serde_json::from_slice::<serde::de::IgnoredAny>(&document);
        assert!(parsed.is_ok(), "the redacted plan is no JSON");
    }
}

/// A log, as it comes from terraform's standard output.
pub fn log_lines(data: &[u8]) {
    let mut buffer = LineBuffer::default();
    let mut operations = Operations::default();
    for chunk in data.chunks(7) {
        buffer.push(chunk);
        while let Some(text) = buffer.next_line() {
            take(&text, &mut operations);
        }
    }
    while let Some(text) = buffer.rest() {
        take(&text, &mut operations);
    }
    for unrecorded in operations.possibly_unrecorded(None) {
        assert!(crate::hcl::is_one_expression(&crate::hcl::quote(
            &unrecorded.id_value
        )));
    }
}

fn take(text: &str, operations: &mut Operations) {
    let line = lines::Line::parse(text);
    operations.observe(&line.event);
    for renderer in [Renderer::Init, Renderer::Plan, Renderer::Apply] {
        let _ = renderer.render(&line);
    }
}

/// A state: the two readers agree, and a reduced state is a state.
pub fn states(data: &[u8]) {
    let head = state::head(data);
    if let Ok(whole) = state::read(data) {
        assert_eq!(
            head.ok().as_ref(),
            Some(&whole.head),
            "the readers disagree"
        );
        let mut reduced = Vec::new();
        if state::reduce_to_outputs(data, &mut reduced).is_ok() {
            let reduced = state::read(reduced.as_slice());
            assert!(reduced.is_ok_and(|it| it.head == whole.head && it.resources.is_empty()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn replay(target: &str, body: fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fuzz/corpus")
            .join(target);
        let mut files = 0;
        for entry in std::fs::read_dir(&corpus).unwrap() {
            let path = entry.unwrap().path();
            body(&std::fs::read(&path).unwrap());
            files += 1;
        }
        assert!(files > 0, "no corpus in {}", corpus.display());
    }

    #[test]
    fn the_corpus_of_plans() {
        replay("plans", super::plans);
    }

    #[test]
    fn the_corpus_of_log_lines() {
        replay("log_lines", super::log_lines);
    }

    #[test]
    fn the_corpus_of_states() {
        replay("states", super::states);
    }
}
