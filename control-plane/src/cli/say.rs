//! The two streams of a command.

use std::io::{self, Write};

/// What was asked for, on stdout. A reader that has gone away (`terrane openapi | head`) is no
/// fault of ours.
pub(super) fn result(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// A word to the person at the terminal, on stderr.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
