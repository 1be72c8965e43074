//! Signals are read, not handled: no code runs in a handler, and none is lost between two looks.
//!
//! SIGHUP is taken and ignored: the terminal or session of the runner may end, the step goes on.
//! Blocked signals also reach the first process of a container, for which the kernel drops those
//! that it neither handles nor blocks.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const READ: [Signal; 5] = [
    Signal::SIGCHLD,
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
];

/// The signals of this process, from now on.
#[derive(Debug)]
pub(crate) struct Signals {
    source: SignalFd,
}

impl Signals {
    /// To be called before any other thread is started, which would have the signals delivered.
    ///
    /// # Errors
    /// The kernel's own.
    pub(crate) fn take() -> io::Result<Self> {
        restore_defaults()?;
        let set: SigSet = READ.into_iter().collect();
        set.thread_block()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self {
            source: SignalFd::with_flags(&set, flags)?,
        })
    }

    /// Waits until a signal comes or `patience` is over; whether one of them asked to stop.
    ///
    /// # Errors
    /// The kernel's own.
    pub(crate) fn wait(&self, patience: Duration) -> io::Result<bool> {
        let timeout = Timespec::try_from(patience).map_err(io::Error::other)?;
        let mut sources = [PollFd::from_borrowed_fd(self.source.as_fd(), PollFlags::IN)];
        match poll(&mut sources, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut asked = false;
        while let Some(signal) = self.source.read_signal()? {
            let number = i32::try_from(signal.ssi_signo).unwrap_or(0);
            asked |= [Signal::SIGTERM as i32, Signal::SIGINT as i32].contains(&number);
        }
        Ok(asked)
    }
}

/// Lets every signal through again, as a new program expects it.
///
/// # Errors
/// The kernel's own.
pub(crate) fn unblock_all() -> io::Result<()> {
    Ok(SigSet::all().thread_unblock()?)
}

/// What our parent ignores, we would ignore too, and so would terraform: without SIGCHLD no exit
/// code is to be had, without SIGINT no cancel.
///
/// # Errors
/// The kernel's own.
#[expect(
    unsafe_code,
    reason = "only default dispositions are set, no handler is installed"
)]
pub(crate) fn restore_defaults() -> io::Result<()> {
    for number in READ {
        // SAFETY: `SigDfl` is no function, so nothing of ours can run in signal context.
        unsafe { signal(number, SigHandler::SigDfl) }?;
    }
    Ok(())
}
