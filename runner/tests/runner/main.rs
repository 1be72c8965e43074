//! The real runner and supervisor against a control plane of a few lines: whole jobs with the real
//! terraform, restarts, kills, and what must survive them.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod binaries;
mod disk;
mod git;
mod git_cli;
mod git_ssh;
mod jobs;
mod large;
mod limits;
mod machine;
mod plane;
mod provider_cache;
mod service;
mod signals;
