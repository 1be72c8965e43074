//! What the kernel tells: memory of processes, lost datagrams, the machine itself.

use rustix::process::{Resource, getrlimit};

/// What one simulated runner may cost server and load client together, generously, in KiB.
const KIB_PER_RUNNER: u64 = 400;
/// Files that a process needs beside its runners' connections.
const OTHER_FILES: u64 = 500;

/// Cores, memory, kernel and load, for people.
pub(super) fn description() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field("/proc/meminfo", "MemTotal:").unwrap_or_default() >> 20;
    let kernel = read("/proc/sys/kernel/osrelease");
    let model = read("/proc/cpuinfo");
    let model = model
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, name)| name);
    let load = load();
    format!(
        "{cores} cores ({model}), {memory} GiB, Linux {}, load {load}",
        kernel.trim()
    )
}

/// The load averages of 1, 5 and 15 minutes.
pub(super) fn load() -> String {
    let text = read("/proc/loadavg");
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Resident memory of a process, in MB.
pub(super) fn resident(pid: u32) -> f64 {
    megabytes(pid, "VmRSS:")
}

/// The most that was resident since [`forget_peak`], in MB.
pub(super) fn peak(pid: u32) -> f64 {
    megabytes(pid, "VmHWM:")
}

/// The peak begins anew at what is resident now.
pub(super) fn forget_peak(pid: u32) {
    if let Err(error) = std::fs::write(format!("/proc/{pid}/clear_refs"), "5") {
        eprintln!("the peak of process {pid} can't be reset ({error}): it counts from its start");
    }
}

/// Datagrams that were lost because a socket's buffer was full, on the whole machine.
pub(super) fn datagrams_lost() -> u64 {
    let text = read("/proc/net/snmp");
    let mut rows = text.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (Some(names), Some(values)) = (rows.next(), rows.next()) else {
        return 0;
    };
    let wanted = ["RcvbufErrors", "SndbufErrors"];
    names
        .split(' ')
        .zip(values.split(' '))
        .filter(|(name, _)| wanted.contains(name))
        .filter_map(|(_, value)| value.parse::<u64>().ok())
        .sum()
}

/// As many of the `wanted` runners as the machine can hold; says so when it can't hold all.
pub(super) fn runners(wanted: u32, over_tcp: bool) -> u32 {
    let available = field("/proc/meminfo", "MemAvailable:").unwrap_or(u64::MAX);
    let by_memory = available / KIB_PER_RUNNER;
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let by_files = if over_tcp {
        files.saturating_sub(OTHER_FILES)
    } else {
        u64::MAX
    };
    let most = u32::try_from(by_memory.min(by_files)).unwrap_or(u32::MAX);
    if most < wanted {
        eprintln!(
            "this machine can't hold {wanted} runners ({available} KiB of memory, {files} open \
             files): measuring with {most}"
        );
    }
    wanted.min(most)
}

fn megabytes(pid: u32, name: &str) -> f64 {
    field(&format!("/proc/{pid}/status"), name).unwrap_or_default() as f64 * 1024.0 / 1e6
}

/// A field of a file like `/proc/meminfo`, in KiB.
fn field(path: &str, name: &str) -> Option<u64> {
    let text = read(path);
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().split(' ').next()?.parse().ok()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
