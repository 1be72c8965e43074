//! Processes of a test: killed as a power cut would, found by the directory they work in.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// `kill -9`.
pub fn kill_now(pid: u32) {
    if let Some(pid) = Pid::from_raw(pid.try_into().unwrap()) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Asks it to end.
pub fn terminate(pid: u32) {
    if let Some(pid) = Pid::from_raw(pid.try_into().unwrap()) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// Whether the process exists and isn't only waiting to be reaped.
pub fn is_alive(pid: u32) -> bool {
    let exists =
        Pid::from_raw(pid.try_into().unwrap()).is_some_and(|it| test_kill_process(it).is_ok());
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    exists
        && !stat
            .rsplit(") ")
            .next()
            .unwrap_or_default()
            .starts_with('Z')
}

/// `kill -9` of everything that works in `directory`, until nothing does any more.
pub fn kill_all_below(directory: &Path) {
    crate::wait::blocking("its processes are gone", || {
        let processes = below(directory);
        processes.iter().for_each(|(pid, _)| kill_now(*pid));
        processes.is_empty()
    });
}

/// Pids of all processes that work in `directory` or name it on their command line, with that line.
pub(crate) fn below(directory: &Path) -> Vec<(u32, String)> {
    let text = directory.to_string_lossy();
    let own = std::process::id();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let works_there = std::fs::read_link(entry.path().join("cwd"))
            .is_ok_and(|cwd| cwd.starts_with(directory));
        if pid != own && (works_there || line.contains(text.as_ref())) {
            found.push((pid, line));
        }
    }
    found
}
