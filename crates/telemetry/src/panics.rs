//! A panic becomes a log line like any other, with its place and the thread's name.
//!
//! The hook only reports. Whether the process goes on is decided by whoever owns the task that
//! panicked.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::thread;

/// Replaces the default hook, which would write several unstructured lines to stderr.
pub fn install_hook() {
    std::panic::set_hook(Box::new(log_panic));
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let backtrace = Backtrace::capture();
    let backtrace = if backtrace.status() == BacktraceStatus::Captured {
        backtrace.to_string()
    } else {
        "set RUST_BACKTRACE=1 to see one".to_owned()
    };
    tracing::error!(
        message = info.payload_as_str().unwrap_or("a panic without a message"),
        location = info.location().map(tracing::field::display),
        thread = thread.name().unwrap_or("unnamed"),
        backtrace,
        "panicked"
    );
}
