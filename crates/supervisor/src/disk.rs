//! Room on the disk: looked at before the start, and a ballast to throw off when it runs out.
//!
//! On a full disk terraform tears its state file, then prints the raw state. The ballast buys the
//! room to write it properly and to end in order.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FallocateFlags, fallocate, fstatvfs};
use step::{Limits, files};

use crate::paths::Root;

/// The file system that the step directory is on.
#[derive(Debug)]
pub(crate) struct Disk {
    root: Arc<Root>,
    directory: File,
    ballast_bytes: u64,
    holds_ballast: AtomicBool,
    was_full: AtomicBool,
}

impl Disk {
    /// Checks the room and takes the ballast.
    ///
    /// # Errors
    /// `StorageFull` with a sentence for people when there is too little room, else the file
    /// system's own.
    pub(crate) fn prepare(root: Arc<Root>, limits: &Limits) -> io::Result<Self> {
        let directory = File::open(root.path())?;
        let disk = Self {
            root,
            directory,
            ballast_bytes: limits.ballast_bytes,
            holds_ballast: AtomicBool::new(false),
            was_full: AtomicBool::new(false),
        };
        let free = disk.free()?;
        let needed = limits
            .required_free_bytes
            .saturating_add(limits.ballast_bytes);
        if free < needed {
            let sentence =
                format!("{free} bytes are free on the disk, {needed} are needed to start");
            return Err(io::Error::new(io::ErrorKind::StorageFull, sentence));
        }
        if limits.ballast_bytes > 0 {
            disk.take_ballast()?;
        }
        Ok(disk)
    }

    /// Bytes that are free for us.
    ///
    /// # Errors
    /// The file system's own.
    pub(crate) fn free(&self) -> io::Result<u64> {
        let room = fstatvfs(&self.directory)?;
        Ok(room.f_bavail.saturating_mul(room.f_frsize))
    }

    /// Releases the ballast if room gets low; whether it has been released, now or before.
    pub(crate) fn watch(&self) -> bool {
        let low = self.ballast_bytes > 0
            && self.holds_ballast.load(Ordering::Relaxed)
            && self.free().is_ok_and(|free| free < self.ballast_bytes / 4);
        if low {
            self.release();
        }
        self.was_full()
    }

    /// Whether the disk was found full.
    pub(crate) fn was_full(&self) -> bool {
        self.was_full.load(Ordering::Relaxed)
    }

    /// Does `write`; if the disk is full, releases the ballast and does it once more.
    ///
    /// # Errors
    /// Those of `write`.
    pub(crate) fn with_room<T>(&self, write: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match write() {
            Err(error) if is_full(&error) => {
                self.release();
                write()
            }
            done => done,
        }
    }

    /// Gives the ballast's room back at the end, when nothing needs saving any more.
    pub(crate) fn give_back(&self) {
        if self.holds_ballast.swap(false, Ordering::Relaxed) {
            let _ = self.root.remove(Path::new(files::BALLAST));
        }
    }

    fn release(&self) {
        self.was_full.store(true, Ordering::Relaxed);
        self.give_back();
    }

    fn take_ballast(&self) -> io::Result<()> {
        let mut file = self.root.create(Path::new(files::BALLAST))?;
        self.holds_ballast.store(true, Ordering::Relaxed);
        let taken = match fallocate(&file, FallocateFlags::empty(), 0, self.ballast_bytes) {
            Ok(()) => Ok(()),
            // Not every file system can: there the room is taken by writing.
            Err(rustix::io::Errno::OPNOTSUPP) => {
                let mut zeros = io::Read::take(io::repeat(0), self.ballast_bytes);
                io::copy(&mut zeros, &mut file).map(|_| ())
            }
            Err(error) => Err(error.into()),
        };
        if taken.is_err() {
            self.give_back();
        }
        taken
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_without_room_and_writes_again_after_releasing_the_ballast() {
        let directory = tempfile::tempdir().unwrap();
        let root = Arc::new(Root::open(directory.path()).unwrap());
        let ballast = directory.path().join(files::BALLAST);
        let limits = Limits {
            required_free_bytes: u64::MAX,
            ..Limits::default()
        };
        assert!(is_full(&Disk::prepare(root.clone(), &limits).unwrap_err()));

        let limits = Limits {
            ballast_bytes: 1 << 20,
            ..Limits::default()
        };
        let disk = Disk::prepare(root, &limits).unwrap();
        assert_eq!(ballast.metadata().unwrap().len(), 1 << 20);
        assert!(!disk.watch());
        let written = disk.with_room(|| {
            if ballast.exists() {
                Err(io::ErrorKind::StorageFull.into())
            } else {
                Ok(7)
            }
        });
        assert_eq!(written.unwrap(), 7);
        assert!(disk.was_full());
    }
}
