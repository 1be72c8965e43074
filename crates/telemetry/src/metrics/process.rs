//! Memory, CPU and file descriptors of this process, read from `/proc` at each scrape.
//!
//! By hand instead of the `process` feature of the metrics crate: that one pulls in two further
//! crates for seven numbers. Names and units are Prometheus' standard ones.
//! Source of the formats: proc(5).

use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, Opts};

pub(super) fn register(registry: &prometheus::Registry) -> prometheus::Result<()> {
    registry.register(Box::new(Process::new()?))
}

struct Process {
    cpu: Counter,
    start: Gauge,
    resident: Gauge,
    virtual_memory: Gauge,
    open_files: Gauge,
    max_files: Gauge,
    threads: Gauge,
}

impl Process {
    fn new() -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| Gauge::with_opts(Opts::new(name, help));
        Ok(Self {
            cpu: Counter::new(
                "process_cpu_seconds_total",
                "User and system CPU time, seconds.",
            )?,
            start: gauge(
                "process_start_time_seconds",
                "Start, seconds since the epoch.",
            )?,
            resident: gauge("process_resident_memory_bytes", "Resident memory, bytes.")?,
            virtual_memory: gauge("process_virtual_memory_bytes", "Virtual memory, bytes.")?,
            open_files: gauge("process_open_fds", "Open file descriptors.")?,
            max_files: gauge("process_max_fds", "Limit of open file descriptors.")?,
            threads: gauge("process_threads", "Threads.")?,
        })
    }

    fn parts(&self) -> [&dyn Collector; 7] {
        [
            &self.cpu,
            &self.start,
            &self.resident,
            &self.virtual_memory,
            &self.open_files,
            &self.max_files,
            &self.threads,
        ]
    }

    /// What can't be read keeps its last value: a scrape never fails for it.
    fn measure(&self) {
        if let Some(stat) = fs::read_to_string("/proc/self/stat")
            .ok()
            .as_deref()
            .and_then(Stat::parse)
        {
            let ticks = rustix::param::clock_ticks_per_second() as f64;
            let used = stat.cpu_ticks as f64 / ticks;
            self.cpu.inc_by((used - self.cpu.get()).max(0.0));
            self.threads.set(stat.threads as f64);
            self.virtual_memory.set(stat.virtual_bytes as f64);
            self.resident
                .set((stat.resident_pages * rustix::param::page_size() as u64) as f64);
            if let Some(boot) = boot_time() {
                self.start.set(boot + stat.start_ticks as f64 / ticks);
            }
        }
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            self.open_files.set(entries.count() as f64);
        }
        if let Some(limit) = file_limit() {
            self.max_files.set(limit);
        }
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.parts().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.measure();
        self.parts()
            .into_iter()
            .flat_map(Collector::collect)
            .collect()
    }
}

/// The fields of `/proc/self/stat` that are measured.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The command's name stands in brackets and may itself hold spaces and brackets.
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // proc(5) counts from 1 and the first of these is field 3.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()
}

fn file_limit() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_may_hold_brackets() {
        let line = "42 (te) rr (ane) S 1 42 42 0 -1 4194560 1 0 0 0 7 3 0 0 20 0 5 0 1234 \
                    4096000 250 18446744073709551615";
        assert_eq!(
            Stat::parse(line),
            Some(Stat {
                cpu_ticks: 10,
                threads: 5,
                start_ticks: 1234,
                virtual_bytes: 4_096_000,
                resident_pages: 250,
            })
        );
        assert_eq!(Stat::parse("nonsense"), None);
    }
}
