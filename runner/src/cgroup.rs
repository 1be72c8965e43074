//! Limits that the kernel keeps for all of a step together: memory, processes, CPU.
//!
//! A group per step below the runner's own one, of cgroup version 2 or 1, whichever the machine has
//! and lets this runner use. The step's supervisor enters it before it begins, so everything the step
//! starts is in it: rlimits bound one process, the group bounds their sum, and what is left over can
//! be found and ended. The runner itself stays outside.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use sha2::{Digest, Sha256};

const MOUNT: &str = "/sys/fs/cgroup";
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];
/// The CPU limit is kept over this long, in microseconds.
const PERIOD: u64 = 100_000;
/// How often a group is asked to be empty before it is left where it is.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// What a step may use; 0: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupLimits {
    pub memory_bytes: u64,
    pub processes: u64,
    /// Thousandths of a core.
    pub cpu_millis: u32,
}

/// Where this runner may make groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cgroups {
    /// One directory per controller, in the order of [`CONTROLLERS`].
    V1 {
        bases: Vec<PathBuf>,
    },
    V2 {
        base: PathBuf,
    },
}

/// Lets a process into a group: to be called between fork and exec.
#[derive(Debug)]
pub struct Entrance(Vec<File>);

impl Entrance {
    /// Moves the calling process. Only writes to open files.
    ///
    /// # Errors
    /// The kernel's own.
    pub fn enter(&self) -> io::Result<()> {
        for file in &self.0 {
            rustix::io::write(file, b"0")?;
        }
        Ok(())
    }
}

impl Cgroups {
    /// Finds out whether groups can be made, by making one. `data` keeps two runners apart.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn find(data: &Path) -> Result<Self, String> {
        let list = std::fs::read_to_string("/proc/self/cgroup")
            .map_err(|error| format!("this process's cgroup is unknown: {error}"))?;
        let hash = Sha256::digest(data.as_os_str().as_encoded_bytes());
        let name = format!("terrane-{}", hex::encode(&hash[..6]));
        let mount = Path::new(MOUNT);
        let found = if mount.join("cgroup.controllers").is_file() {
            Self::v2(mount, &list, &name)
        } else {
            Self::v1(mount, &list, &name)
        };
        let found = found.map_err(|error| format!("cgroups can't be used: {error}"))?;
        let limits = GroupLimits {
            memory_bytes: 64 << 20,
            processes: 16,
            cpu_millis: 500,
        };
        let tried = found.make("probe", limits).map(drop);
        found.remove("probe");
        tried.map_err(|error| format!("this runner may not make cgroups: {error}"))?;
        Ok(found)
    }

    fn v1(mount: &Path, list: &str, name: &str) -> io::Result<Self> {
        let base = |controller: &&str| {
            let own = own_path(list, Some(controller))
                .ok_or_else(|| io::Error::other(format!("there is no controller {controller}")))?;
            // In a container the mount may begin at the own group already.
            let below = mount.join(controller).join(own.trim_start_matches('/'));
            let at = if below.is_dir() {
                below
            } else {
                mount.join(controller)
            };
            let base = at.join(name);
            make_group(&base)?;
            Ok(base)
        };
        let bases = CONTROLLERS.iter().map(base).collect::<io::Result<_>>()?;
        Ok(Self::V1 { bases })
    }

    /// A group with processes of its own can't hand controllers on, so this process moves into a
    /// group below first, unless it is in the topmost one, which may.
    fn v2(mount: &Path, list: &str, name: &str) -> io::Result<Self> {
        let own = own_path(list, None).ok_or_else(|| io::Error::other("there is no group"))?;
        let below = mount.join(own.trim_start_matches('/'));
        let own = if below.is_dir() {
            below
        } else {
            mount.to_owned()
        };
        if hand_on(&own).is_err() {
            let leaf = own.join("terrane-runner");
            make_group(&leaf)?;
            std::fs::write(leaf.join("cgroup.procs"), "0")?;
            hand_on(&own)?;
        }
        let base = own.join(name);
        make_group(&base)?;
        hand_on(&base)?;
        Ok(Self::V2 { base })
    }

    /// `v1` or `v2`.
    pub fn version(&self) -> &'static str {
        match self {
            Self::V1 { .. } => "v1",
            Self::V2 { .. } => "v2",
        }
    }

    /// The directories of a job's group.
    fn directories(&self, job: &str) -> Vec<PathBuf> {
        match self {
            Self::V1 { bases } => bases.iter().map(|base| base.join(job)).collect(),
            Self::V2 { base } => vec![base.join(job)],
        }
    }

    /// Makes a job's group, anew if it is there.
    ///
    /// # Errors
    /// The kernel's own; nothing is left of the group then.
    pub fn make(&self, job: &str, limits: GroupLimits) -> io::Result<Entrance> {
        self.remove(job);
        let made = self.fill(job, limits);
        if made.is_err() {
            self.remove(job);
        }
        made
    }

    fn fill(&self, job: &str, limits: GroupLimits) -> io::Result<Entrance> {
        let directories = self.directories(job);
        for directory in &directories {
            make_group(directory)?;
        }
        for (controller, file, value) in self.settings(limits) {
            let directory = match self {
                Self::V1 { .. } => &directories[controller],
                Self::V2 { .. } => &directories[0],
            };
            let path = directory.join(file);
            // Machines without swap have no limit for it.
            if file.contains("swap") || file.contains("memsw") {
                if path.exists() {
                    std::fs::write(path, value)?;
                }
            } else {
                std::fs::write(path, value)?;
            }
        }
        let open = |directory: &PathBuf| {
            OpenOptions::new()
                .write(true)
                .open(directory.join("cgroup.procs"))
        };
        let entrance = directories.iter().map(open).collect::<io::Result<_>>()?;
        Ok(Entrance(entrance))
    }

    /// Index into [`CONTROLLERS`], file and value, in the order in which they must be written.
    fn settings(&self, limits: GroupLimits) -> Vec<(usize, &'static str, String)> {
        let mut settings = Vec::new();
        let (memory, swap, pids) = match self {
            Self::V1 { .. } => (
                "memory.limit_in_bytes",
                "memory.memsw.limit_in_bytes",
                "pids.max",
            ),
            Self::V2 { .. } => ("memory.max", "memory.swap.max", "pids.max"),
        };
        if limits.memory_bytes > 0 {
            settings.push((0, memory, limits.memory_bytes.to_string()));
            let most = match self {
                // Version 1 counts memory and swap together.
                Self::V1 { .. } => limits.memory_bytes,
                Self::V2 { .. } => 0,
            };
            settings.push((0, swap, most.to_string()));
        }
        if limits.processes > 0 {
            settings.push((1, pids, limits.processes.to_string()));
        }
        if limits.cpu_millis > 0 {
            let quota = (u64::from(limits.cpu_millis) * PERIOD / 1000).max(1000);
            match self {
                Self::V1 { .. } => {
                    settings.push((2, "cpu.cfs_period_us", PERIOD.to_string()));
                    settings.push((2, "cpu.cfs_quota_us", quota.to_string()));
                }
                Self::V2 { .. } => settings.push((2, "cpu.max", format!("{quota} {PERIOD}"))),
            }
        }
        settings
    }

    /// The directory that shows a job's use of memory, and where a supervisor that sees no other
    /// groups looks for it.
    pub fn memory_view(&self, job: &str) -> Option<(PathBuf, PathBuf)> {
        let directory = self.directories(job).into_iter().next()?;
        let mount = Path::new(MOUNT);
        Some(match self {
            Self::V1 { .. } => (directory, mount.join("memory")),
            Self::V2 { .. } => (directory, mount.to_owned()),
        })
    }

    /// Whether the kernel has ended something in a job's group for want of memory.
    pub fn was_out_of_memory(&self, job: &str) -> bool {
        let file = match self {
            Self::V1 { .. } => "memory.oom_control",
            Self::V2 { .. } => "memory.events",
        };
        let directory = self.directories(job).into_iter().next();
        let text = directory.and_then(|it| std::fs::read_to_string(it.join(file)).ok());
        text.unwrap_or_default()
            .lines()
            .filter_map(|line| line.strip_prefix("oom_kill "))
            .any(|count| count.trim() != "0")
    }

    /// Ends everything in a job's group and removes it. Blocks for up to two seconds.
    pub fn remove(&self, job: &str) {
        for directory in self.directories(job) {
            for _ in 0..TRIES {
                match std::fs::remove_dir(&directory) {
                    Ok(()) => break,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                    Err(_) => end_all_in(&directory),
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
}

fn make_group(path: &Path) -> io::Result<()> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Lets groups below use the controllers.
fn hand_on(group: &Path) -> io::Result<()> {
    let wanted = CONTROLLERS.map(|name| format!("+{name}")).join(" ");
    std::fs::write(group.join("cgroup.subtree_control"), wanted)
}

fn end_all_in(group: &Path) {
    if std::fs::write(group.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let list = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let pids = list.lines().filter_map(|line| line.trim().parse().ok());
    for pid in pids.filter_map(Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

/// The own group's path in a controller's hierarchy, or in that of version 2.
fn own_path<'a>(list: &'a str, controller: Option<&str>) -> Option<&'a str> {
    list.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let is_it = match controller {
            None => controllers.is_empty(),
            Some(name) => controllers.split(',').any(|it| it == name),
        };
        is_it.then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "9:cpu,cpuacct:/a\n4:memory:/jobs/1\n3:pids:/\n0::/svc\n";

    #[test]
    fn the_own_group_is_found() {
        assert_eq!(own_path(LIST, Some("cpu")), Some("/a"));
        assert_eq!(own_path(LIST, Some("memory")), Some("/jobs/1"));
        assert_eq!(own_path(LIST, None), Some("/svc"));
        assert_eq!(own_path(LIST, Some("io")), None);
    }

    /// A directory that stands for a mount: files are written as the kernel would be told.
    #[test]
    fn version_2_is_told_the_limits() {
        let mount = tempfile::tempdir().unwrap();
        std::fs::create_dir(mount.path().join("svc")).unwrap();
        let groups = Cgroups::v2(mount.path(), LIST, "terrane-1").unwrap();
        let base = mount.path().join("svc/terrane-1");
        let read = |name: &str| std::fs::read_to_string(base.join(name)).unwrap();
        assert_eq!(read("cgroup.subtree_control"), "+memory +pids +cpu");
        std::fs::create_dir(base.join("job-1")).unwrap();
        std::fs::write(base.join("job-1/cgroup.procs"), "").unwrap();
        std::fs::write(base.join("job-1/memory.swap.max"), "max").unwrap();
        let limits = GroupLimits {
            memory_bytes: 1 << 30,
            processes: 64,
            cpu_millis: 1500,
        };
        groups.fill("job-1", limits).unwrap();
        assert_eq!(read("job-1/memory.max"), "1073741824");
        assert_eq!(read("job-1/memory.swap.max"), "0");
        assert_eq!(read("job-1/pids.max"), "64");
        assert_eq!(read("job-1/cpu.max"), "150000 100000");
        std::fs::write(base.join("job-1/memory.events"), "oom 1\noom_kill 1\n").unwrap();
        assert!(groups.was_out_of_memory("job-1"));
        let (_, seen_at) = groups.memory_view("job-1").unwrap();
        assert_eq!(seen_at, Path::new("/sys/fs/cgroup"));
    }
}
