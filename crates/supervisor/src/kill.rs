//! Freeze, check, kill: the end of a command that won't end.
//!
//! A kill at a random moment leaves an empty or torn state file more often than not once the state
//! is large. So the process group is stopped first; only when the file parses is it killed, still
//! stopped. Otherwise it runs on for some milliseconds, to finish its write, and is stopped again.

use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// How often the file is looked at before killing whatever is there.
const TRIES: u32 = 400;
/// How long a process may take to stop; one that waits for the disk does so first.
const STOPPING: Duration = Duration::from_millis(250);

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Killed {
    pub(crate) tries: u32,
    /// The state was whole at the last look.
    pub(crate) whole: bool,
}

/// Kills the group that `leader`, a child of ours, leads, while it is stopped if that can be had.
/// `is_whole` looks at the state file. What has left the group is for the sweep afterwards.
///
/// # Errors
/// The kernel's own.
pub(crate) fn freeze_check_kill(leader: Pid, is_whole: impl Fn() -> bool) -> io::Result<Killed> {
    let mut killed = Killed {
        tries: 0,
        whole: false,
    };
    while killed.tries < TRIES {
        killed.tries += 1;
        let stopped = stop(leader)?;
        killed.whole = is_whole();
        if stopped == Stopped::Ended || (stopped == Stopped::Yes && killed.whole) {
            break;
        }
        signal(leader, Signal::CONT);
        let pause = 1 + u64::from(killed.tries.wrapping_mul(7) % 20);
        std::thread::sleep(Duration::from_millis(pause));
    }
    signal(leader, Signal::KILL);
    Ok(killed)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    Yes,
    NotYet,
    /// It ended by itself.
    Ended,
}

/// Stops the group and waits until the kernel reports that every thread of its leader stands still.
fn stop(leader: Pid) -> io::Result<Stopped> {
    signal(leader, Signal::STOP);
    let since = Instant::now();
    let options = WaitIdOptions::STOPPED
        | WaitIdOptions::EXITED
        | WaitIdOptions::NOHANG
        | WaitIdOptions::NOWAIT;
    loop {
        match waitid(WaitId::Pid(leader), options) {
            Ok(Some(status)) if status.stopped() => return Ok(Stopped::Yes),
            Ok(Some(_)) | Err(rustix::io::Errno::CHILD) => return Ok(Stopped::Ended),
            Ok(None) => {}
            Err(error) => return Err(error.into()),
        }
        if since.elapsed() > STOPPING {
            return Ok(Stopped::NotYet);
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// To the whole group; it may be gone already.
fn signal(leader: Pid, signal: Signal) {
    let _ = kill_process_group(leader, signal);
}
