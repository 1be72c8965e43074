//! Resource limits of a command.
//!
//! The address space is not limited: Go reserves far more than it uses, so memory is left to the
//! cgroup and the watermark.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};
use step::Limits;

/// Sets them for this process and what it starts. The number of processes counts all of a user, so
/// it is only limited for a user that the step has to itself.
///
/// # Errors
/// The kernel's own, above all that a limit is higher than ours.
pub(super) fn set(limits: &Limits, own_user: bool) -> io::Result<()> {
    setrlimit(Resource::Core, exactly(0))?;
    let wanted = [
        (Resource::Nofile, limits.open_files),
        (Resource::Fsize, limits.file_bytes),
        (Resource::Nproc, if own_user { limits.processes } else { 0 }),
    ];
    for (resource, limit) in wanted {
        if limit > 0 {
            setrlimit(resource, exactly(limit))?;
        }
    }
    Ok(())
}

fn exactly(limit: u64) -> Rlimit {
    Rlimit {
        current: Some(limit),
        maximum: Some(limit),
    }
}
