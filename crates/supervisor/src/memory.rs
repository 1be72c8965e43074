//! How much memory a step uses, and whether the kernel killed something of it for using too much.
//!
//! From its cgroup when it has one of its own, version 1 or 2, which is what the kernel goes by;
//! else the private memory of all its processes. A container's exit code says nothing about an
//! out-of-memory kill of a child, so the kernel's counters are read before and after.

use std::path::{Path, PathBuf};

use crate::processes;

/// Part of the limit at which a step is cancelled, in percent.
const WATERMARK: u64 = 80;
const OOM_SCORE: &str = "/proc/self/oom_score_adj";

/// Makes the kernel end a command rather than the supervisor, whose journal is needed most then.
/// Only root may; without it the supervisor is still by far the smallest.
pub(crate) fn spare_supervisor() {
    let _ = std::fs::write(OOM_SCORE, "-900");
}

/// A command has no such privilege.
pub(crate) fn spare_no_more() {
    let _ = std::fs::write(OOM_SCORE, "0");
}

#[derive(Debug)]
pub(crate) struct Memory {
    limit: u64,
    group: Option<Group>,
    group_kills: u64,
    machine_kills: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Group {
    version: Version,
    directory: PathBuf,
    /// Its limit is no higher than the step's, so nothing else is counted in it.
    own: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

impl Memory {
    /// `limit` in bytes; 0: none.
    pub(crate) fn new(limit: u64) -> Self {
        let group = Group::find(
            Path::new("/proc/self/cgroup"),
            Path::new("/sys/fs/cgroup"),
            limit,
        );
        let group_kills = group.as_ref().map_or(0, Group::kills);
        Self {
            limit,
            group,
            group_kills,
            machine_kills: machine_kills(),
        }
    }

    /// Whether the use has passed 80 % of the limit.
    pub(crate) fn is_high(&self) -> bool {
        self.limit > 0 && self.used() >= self.limit / 100 * WATERMARK
    }

    /// Whether something of the step was killed for want of memory. `died_of_kill`: one of its
    /// commands ended by a SIGKILL that was not ours.
    pub(crate) fn was_exhausted(&self, died_of_kill: bool) -> bool {
        let in_group = self
            .group
            .as_ref()
            .is_some_and(|group| group.kills() > self.group_kills);
        let own = self.group.as_ref().is_some_and(|group| group.own);
        (in_group && (own || died_of_kill))
            || (died_of_kill && machine_kills() > self.machine_kills)
    }

    fn used(&self) -> u64 {
        let own = self
            .group
            .as_ref()
            .filter(|group| group.own)
            .and_then(Group::used);
        own.unwrap_or_else(|| {
            processes::descendants().map_or(0, |all| processes::private_memory(&all))
        })
    }
}

impl Group {
    fn find(list: &Path, mount: &Path, limit: u64) -> Option<Self> {
        let list = std::fs::read_to_string(list).ok()?;
        let lines = || {
            list.lines()
                .filter_map(|line| line.split_once(':')?.1.split_once(':'))
        };
        let v1 =
            lines().find(|(controllers, _)| controllers.split(',').any(|name| name == "memory"));
        let v2 = lines().find(|(controllers, _)| controllers.is_empty());
        let (version, mount, path) = match (v1, v2) {
            (Some((_, path)), _) => (Version::V1, mount.join("memory"), path),
            (None, Some((_, path))) => (Version::V2, mount.to_owned(), path),
            (None, None) => return None,
        };
        // A container may see its own group at the top of the mount, whatever the list says.
        let directory = [mount.join(path.trim_start_matches('/')), mount]
            .into_iter()
            .find(|directory| directory.join(version.usage_file()).exists())?;
        let group_limit = read_number(&directory.join(version.limit_file()));
        let own = limit > 0 && group_limit.is_some_and(|found| found <= limit);
        Some(Self {
            version,
            directory,
            own,
        })
    }

    /// Without the page cache that the kernel would give back first.
    fn used(&self) -> Option<u64> {
        let total = read_number(&self.directory.join(self.version.usage_file()))?;
        let field = match self.version {
            Version::V1 => "total_inactive_file",
            Version::V2 => "inactive_file",
        };
        let cache = read_field(&self.directory.join("memory.stat"), field).unwrap_or(0);
        Some(total.saturating_sub(cache))
    }

    fn kills(&self) -> u64 {
        let file = match self.version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        read_field(&self.directory.join(file), "oom_kill").unwrap_or(0)
    }
}

impl Version {
    fn usage_file(self) -> &'static str {
        match self {
            Self::V1 => "memory.usage_in_bytes",
            Self::V2 => "memory.current",
        }
    }

    fn limit_file(self) -> &'static str {
        match self {
            Self::V1 => "memory.limit_in_bytes",
            Self::V2 => "memory.max",
        }
    }
}

fn machine_kills() -> u64 {
    read_field(Path::new("/proc/vmstat"), "oom_kill").unwrap_or(0)
}

fn read_number(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn read_field(path: &Path, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        line.strip_prefix(name)?
            .strip_prefix(' ')?
            .trim()
            .parse()
            .ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(directory: &Path, files: &[(&str, &str)]) {
        std::fs::create_dir_all(directory).unwrap();
        files
            .iter()
            .for_each(|(name, text)| std::fs::write(directory.join(name), text).unwrap());
    }

    #[test]
    fn reads_a_group_of_version_2_at_the_top_of_a_container() {
        let root = tempfile::tempdir().unwrap();
        let list = root.path().join("list");
        std::fs::write(&list, "0::/system.slice/docker-1.scope\n").unwrap();
        let mount = root.path().join("cgroup");
        write(
            &mount,
            &[
                ("memory.current", "900\n"),
                ("memory.max", "1000\n"),
                ("memory.stat", "anon 1\ninactive_file 300\n"),
                ("memory.events", "low 0\noom 3\noom_kill 2\n"),
            ],
        );
        let group = Group::find(&list, &mount, 1000).unwrap();
        assert!(group.own);
        assert_eq!((group.used(), group.kills()), (Some(600), 2));
        assert!(!Group::find(&list, &mount, 999).unwrap().own);
        std::fs::write(mount.join("memory.max"), "max\n").unwrap();
        assert!(!Group::find(&list, &mount, 1000).unwrap().own);
    }

    #[test]
    fn reads_a_group_of_version_1() {
        let root = tempfile::tempdir().unwrap();
        let list = root.path().join("list");
        std::fs::write(&list, "9:cpu,cpuacct:/\n4:memory:/jobs/1\n0::/\n").unwrap();
        write(
            &root.path().join("memory/jobs/1"),
            &[
                ("memory.usage_in_bytes", "700\n"),
                ("memory.limit_in_bytes", "800\n"),
                ("memory.stat", "total_inactive_file 100\n"),
                (
                    "memory.oom_control",
                    "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
                ),
            ],
        );
        let group = Group::find(&list, root.path(), 1000).unwrap();
        assert!(group.own);
        assert_eq!((group.used(), group.kills()), (Some(600), 1));
    }

    #[test]
    fn without_a_limit_nothing_is_high() {
        assert!(!Memory::new(0).is_high());
        assert!(!Memory::new(0).was_exhausted(false));
    }
}
