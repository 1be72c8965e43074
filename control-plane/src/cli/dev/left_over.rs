//! A runner whose `terrane dev` was killed: found by its pid file, held by a pidfd.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::private_file;
use super::runner_process::Specification;

/// The runtime's own watching of descriptors needs unsafe code, for what is rare and not urgent.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) struct LeftOver {
    pid: u32,
    gateway: SocketAddr,
    /// Becomes readable when the process ends; names that process even if its number is reused.
    handle: OwnedFd,
}

impl LeftOver {
    /// The runner of this specification that an earlier `terrane dev` has left behind.
    ///
    /// # Errors
    /// If the pid file can't be read.
    pub(super) fn find(specification: &Specification) -> io::Result<Option<Self>> {
        let Some(text) = private_file::read(&specification.pid_file)? else {
            return Ok(None);
        };
        let Some((pid, gateway)) = parse(&text) else {
            return Ok(None);
        };
        let Some(handle) =
            Pid::from_raw(pid as i32).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
        else {
            return Ok(None);
        };
        // After the handle is held, so that the number can't come to mean another process.
        if !is_runner_of(pid, specification) {
            return Ok(None);
        }
        Ok(Some(Self {
            pid,
            gateway,
            handle,
        }))
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it dials this address.
    pub(super) fn serves(&self, gateway: SocketAddr) -> bool {
        self.gateway == gateway
    }

    /// # Errors
    /// If the signal can't be sent, also because the process has ended.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(pidfd_send_signal(&self.handle, signal)?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If the handle can't be looked at.
    pub(super) async fn ended(&self) -> io::Result<()> {
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        loop {
            if poll(
                &mut [PollFd::new(&self.handle, PollFlags::IN)],
                Some(&at_once),
            )? > 0
            {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn parse(text: &str) -> Option<(u32, SocketAddr)> {
    let (pid, gateway) = text.split_once(' ')?;
    Some((pid.parse().ok()?, gateway.parse().ok()?))
}

/// Whether the process is a runner on the same data directory.
fn is_runner_of(pid: u32, specification: &Specification) -> bool {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else {
        return false;
    };
    let data_dir = specification.data_dir.as_os_str().as_encoded_bytes();
    let mut arguments = line.split(|byte| *byte == 0);
    let program = arguments.next().unwrap_or_default();
    program.ends_with(b"terrane-runner") && arguments.any(|argument| argument == data_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_pid_file() {
        let gateway = "127.0.0.1:8444".parse().unwrap();
        assert_eq!(parse("42 127.0.0.1:8444"), Some((42, gateway)));
        assert_eq!(parse("42"), None);
        assert_eq!(parse(""), None);
    }
}
