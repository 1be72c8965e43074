//! What this machine is and can do, asked once at the start; and its processes.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use sha2::{Digest, Sha256};
use step::Probe;
use tokio::process::Command;

use crate::executor::SandboxLevel;

/// Where programs are looked for, by the runner and by steps alike.
pub const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The layers of a sandbox that work here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    pub is_root: bool,
    pub landlock: bool,
    pub seccomp: bool,
    /// Where it is, if it works.
    pub bubblewrap: Option<PathBuf>,
}

/// How long the probe may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Machine {
    /// Asks the supervisor which layers really work here.
    ///
    /// # Errors
    /// A sentence for people, when it can't be asked.
    pub async fn probe(supervisor: &Path) -> Result<Self, String> {
        let output = Command::new(supervisor)
            .arg("--probe")
            .env_clear()
            .env("PATH", SEARCH_PATH)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let name = supervisor.display();
        let output = tokio::time::timeout(PATIENCE, output)
            .await
            .map_err(|_| format!("{name} --probe did not end"))?
            .map_err(|error| format!("{name} can't be started: {error}"))?;
        let probe: Probe = serde_json::from_slice(&output.stdout)
            .map_err(|_| format!("{name} --probe gave no answer; is it of the same version?"))?;
        Ok(Self::from_probe(&probe))
    }

    fn from_probe(probe: &Probe) -> Self {
        Self {
            is_root: rustix::process::geteuid().is_root() && probe.uid_drop.works,
            landlock: probe.landlock.works,
            seccomp: probe.seccomp.works,
            bubblewrap: find_program("bwrap").filter(|_| probe.bubblewrap.works),
        }
    }

    /// The strongest sandbox that can be had.
    pub fn best_level(&self) -> SandboxLevel {
        if self.landlock && self.seccomp && self.bubblewrap.is_some() {
            SandboxLevel::Strong
        } else if self.landlock || self.seccomp || self.bubblewrap.is_some() {
            SandboxLevel::Basic
        } else {
            SandboxLevel::None
        }
    }

    /// The layers by their names on the wire, as far as `level` puts them on.
    pub fn layers(&self, level: SandboxLevel) -> Vec<String> {
        let on = level > SandboxLevel::None;
        let strong = level == SandboxLevel::Strong;
        [
            (on && self.is_root, "uid"),
            (strong && self.bubblewrap.is_some(), "bubblewrap"),
            (strong && self.bubblewrap.is_some(), "namespaces"),
            (on && self.landlock, "landlock"),
            (on && self.seccomp, "seccomp"),
            (on, "rlimits"),
        ]
        .into_iter()
        .filter(|(there, _)| *there)
        .map(|(_, name)| name.to_owned())
        .collect()
    }

    /// What a stronger sandbox would need.
    pub fn what_is_missing(&self) -> String {
        let missing: Vec<&str> = [
            (self.landlock, "Landlock (a kernel from 5.13 on)"),
            (self.seccomp, "seccomp"),
            (
                self.bubblewrap.is_some(),
                "bubblewrap (install it; it must be allowed to make namespaces)",
            ),
        ]
        .into_iter()
        .filter(|(there, _)| !there)
        .map(|(_, name)| name)
        .collect();
        if missing.is_empty() {
            "nothing is missing".to_owned()
        } else {
            missing.join(", ")
        }
    }
}

/// A program on the search path.
pub fn find_program(name: &str) -> Option<PathBuf> {
    SEARCH_PATH
        .split(':')
        .map(|place| Path::new(place).join(name))
        .find(|path| {
            use std::os::unix::fs::PermissionsExt;
            path.metadata()
                .is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
        })
}

/// Users for the steps of one runner: a range of its own by its data directory, so that two runners
/// on one machine don't end each other's processes. High up, where no system hands out users; lower
/// where a user namespace has no more.
pub fn users_for(data: &Path) -> Range<u32> {
    const COUNT: u32 = 256;
    const HIGH: u32 = 1_900_000_000;
    const HIGH_BLOCKS: u32 = 900_000;
    const LOW: u32 = 20_000;
    const LOW_BLOCKS: u32 = 150;
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let (first, blocks) = if mapped_users(&map) > HIGH + HIGH_BLOCKS * COUNT {
        (HIGH, HIGH_BLOCKS)
    } else {
        (LOW, LOW_BLOCKS)
    };
    let hash = Sha256::digest(data.as_os_str().as_encoded_bytes());
    let number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    let start = first + number % blocks * COUNT;
    start..start + COUNT
}

/// The end of the users that a user namespace maps in one piece from 0.
fn mapped_users(map: &str) -> u32 {
    let fields: Vec<u32> = map
        .split_whitespace()
        .filter_map(|it| it.parse().ok())
        .collect();
    match fields.as_slice() {
        [0, _, count, ..] => *count,
        _ => 0,
    }
}

/// What a step may have open: enough for terraform and its providers, and no more than this process
/// may give.
pub fn most_open_files() -> u64 {
    const ENOUGH: u64 = 65_536;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.maximum.unwrap_or(ENOUGH).min(ENOUGH)
}

/// Kills every process of a user.
pub fn kill_all_of(uid: u32) {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return;
    };
    for entry in entries.flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok());
        let Some(pid) = pid.and_then(Pid::from_raw) else {
            continue;
        };
        if entry.metadata().is_ok_and(|it| it.uid() == uid) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runner_has_users_of_its_own() {
        let (one, other) = (users_for(Path::new("/a")), users_for(Path::new("/b")));
        assert!(one.end <= other.start || other.end <= one.start);
        assert_eq!(users_for(Path::new("/a")), one);
        assert_eq!(mapped_users("         0          0 4294967295\n"), u32::MAX);
        assert_eq!(mapped_users("0 100000 65536"), 65_536);
    }
}
