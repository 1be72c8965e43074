//! Everything below the supervisor, as `/proc` tells it.
//!
//! Providers and what provisioners started may have left terraform's process group, but not this
//! tree: the supervisor is a subreaper, so orphans become its children. Decided against killing by
//! user or by `kill(-1)`: both may hit what isn't ours.

use std::io;

use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, set_child_subreaper, wait,
};

/// How often all that is left is killed before giving up on it: a process that can't die hangs in
/// the kernel.
const SWEEPS: u32 = 200;

/// One line of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) state: char,
    /// Ticks after boot.
    pub(crate) started: u64,
}

/// Makes orphans below us our children.
///
/// # Errors
/// The kernel's own.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// This process: pid and start time.
///
/// # Errors
/// `/proc` can't be read.
pub(crate) fn myself() -> io::Result<Process> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    parse(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// All processes below this one, zombies left out.
///
/// # Errors
/// `/proc` can't be read.
pub(crate) fn descendants() -> io::Result<Vec<Process>> {
    let all: Vec<Process> = std::fs::read_dir("/proc")?
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .bytes()
                .all(|b| b.is_ascii_digit())
        })
        .filter_map(|entry| parse(&std::fs::read_to_string(entry.path().join("stat")).ok()?))
        .filter(|process| !matches!(process.state, 'Z' | 'X'))
        .collect();
    Ok(below(getpid().as_raw_nonzero().get(), &all))
}

/// Kills whatever is left below us, and reaps it: stopped first, so that nothing forks away.
///
/// # Errors
/// `/proc` can't be read.
pub(crate) fn kill_all_descendants() -> io::Result<()> {
    for _ in 0..SWEEPS {
        let left = descendants()?;
        if left.is_empty() {
            break;
        }
        left.iter()
            .for_each(|process| send(process.pid, Signal::STOP));
        left.iter()
            .for_each(|process| send(process.pid, Signal::KILL));
        std::thread::sleep(std::time::Duration::from_millis(2));
        while reap()?.is_some() {}
    }
    while reap()?.is_some() {}
    Ok(())
}

/// Takes one child that has ended, ours or an orphan's.
///
/// # Errors
/// The kernel's own.
pub(crate) fn reap() -> io::Result<Option<(Pid, WaitStatus)>> {
    match wait(WaitOptions::NOHANG) {
        Ok(ended) => Ok(ended),
        Err(rustix::io::Errno::CHILD | rustix::io::Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Memory of `processes` that is theirs alone, in bytes: what files back is left out.
pub(crate) fn private_memory(processes: &[Process]) -> u64 {
    let page = rustix::param::page_size() as u64;
    let pages = processes.iter().filter_map(|process| {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", process.pid)).ok()?;
        let mut fields = text.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
        let (resident, shared) = (fields.next()?.ok()?, fields.next()?.ok()?);
        Some(resident.saturating_sub(shared))
    });
    pages.sum::<u64>().saturating_mul(page)
}

fn send(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        // It may be gone already.
        let _ = kill_process(pid, signal);
    }
}

/// The name in the second field may hold anything, blanks and brackets too.
fn parse(stat: &str) -> Option<Process> {
    let (head, tail) = stat.rsplit_once(')')?;
    let pid = head.split_once(' ')?.0.parse().ok()?;
    let mut fields = tail.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some(Process {
        pid,
        parent,
        state,
        started,
    })
}

fn below(ancestor: i32, all: &[Process]) -> Vec<Process> {
    let mut found: Vec<Process> = vec![];
    let mut parents = vec![ancestor];
    while let Some(parent) = parents.pop() {
        let children = all.iter().filter(|process| process.parent == parent);
        for child in children.filter(|child| child.pid != ancestor) {
            if !found.contains(child) {
                found.push(*child);
                parents.push(child.pid);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line_whatever_the_name() {
        let line = "42 (a) b) (c) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 998877 1 2";
        let process = Process {
            pid: 42,
            parent: 7,
            state: 'S',
            started: 998_877,
        };
        assert_eq!(parse(line), Some(process));
        assert_eq!(parse("42 (a"), None);
        assert!(myself().unwrap().started > 0);
    }

    #[test]
    fn finds_the_whole_tree() {
        let process = |pid, parent| Process {
            pid,
            parent,
            state: 'S',
            started: 0,
        };
        let all = [
            process(1, 0),
            process(5, 1),
            process(6, 5),
            process(7, 6),
            process(9, 1),
        ];
        let mut pids: Vec<i32> = below(5, &all).iter().map(|process| process.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [6, 7]);
    }
}
