//! What the worker takes from itself before it reads the first foreign byte.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Limits;

/// Bounds memory, and takes away files, sockets, core dumps and processes.
///
/// # Errors
/// When the system refuses; the worker must not go on then.
pub(super) fn confine(limits: &Limits, input: usize) -> std::io::Result<()> {
    let memory = own_size().saturating_add(limits.memory_for(input));
    set(Resource::As, memory)?;
    set(Resource::Core, 0)?;
    set(Resource::Fsize, 0)?;
    // The three open streams stay; nothing more can be opened, be it a file or a socket.
    set(Resource::Nofile, 0)
}

/// Dies with whoever asked.
pub(super) fn follow_parent() {
    #[cfg(target_os = "linux")]
    {
        // Without it an orphan ends at its next write, or at its processor limit.
        let _ =
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    }
}

/// From now on that much more processor time, then the system kills.
pub(super) fn allow_cpu(limits: &Limits) {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let used = u64::try_from(used.tv_sec).unwrap_or(0);
    // Whole seconds, and one for the part that was used already.
    let soft = used + limits.cpu.as_secs() + 1;
    let hard = getrlimit(Resource::Cpu).maximum;
    let soft = hard.map_or(soft, |hard| soft.min(hard));
    let _ = setrlimit(
        Resource::Cpu,
        Rlimit {
            current: Some(soft),
            maximum: hard,
        },
    );
}

fn set(resource: Resource, value: u64) -> std::io::Result<()> {
    let hard = getrlimit(resource).maximum;
    let value = hard.map_or(value, |hard| value.min(hard));
    Ok(setrlimit(
        resource,
        Rlimit {
            current: Some(value),
            maximum: Some(value),
        },
    )?)
}

/// Address space that the program has already, in bytes: libraries, the allocator's arenas.
fn own_size() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    // Where there is no /proc the program's own size is guessed.
    pages.map_or(512 * 1024 * 1024, |pages| {
        pages * rustix::param::page_size() as u64
    })
}
