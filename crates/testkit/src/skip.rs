//! The rule for tests that need something the machine lacks.

use std::io::Write;

/// Says that the calling test is skipped and why; the caller returns right after.
///
/// It writes past the test harness's capture, so that a skip is seen in a green run.
///
/// # Panics
/// In CI (environment `CI=true`): there a skipped test is a failure.
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where tests ask whether this is CI"
    )]
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!ci, "skipping is not allowed in CI: {test} needs {why}");
    let line = format!("SKIPPED {test}: needs {why}\n");
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
    note(&line);
}

/// Adds the line to the list that `cargo xtask test` prints at its end.
fn note(line: &str) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where tests ask who runs them"
    )]
    let Ok(list) = std::env::var("TERRANE_SKIPS") else {
        return;
    };
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(list);
    let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
}
