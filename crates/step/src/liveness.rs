//! Whether a step is still alive, asked from outside.
//!
//! By file locks, not by pid: a pid means nothing across a pid namespace and may be reused, while
//! the kernel drops a lock exactly when its last holder is gone, however it went.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::files;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// No supervisor has begun this step yet.
    NotStarted,
    /// The supervisor is at work.
    Supervised,
    /// The supervisor is dead, but something it started is not: terraform may still be changing
    /// things and writing its state file. Wait for it, or interrupt it; don't recover yet.
    Orphaned,
    /// Nothing of it runs any more.
    Gone,
}

/// Looks at the locks in the step directory `step`.
///
/// # Errors
/// The file system's own.
pub fn liveness(step: &Path) -> io::Result<Liveness> {
    match is_locked(&step.join(files::SUPERVISOR_PID))? {
        None => return Ok(Liveness::NotStarted),
        Some(true) => return Ok(Liveness::Supervised),
        Some(false) => {}
    }
    match is_locked(&step.join(files::ALIVE))? {
        Some(true) => Ok(Liveness::Orphaned),
        Some(false) | None => Ok(Liveness::Gone),
    }
}

/// A shared lock, so that two that ask don't see each other; `None` without a file.
fn is_locked(path: &Path) -> io::Result<Option<bool>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(false)),
        Err(TryLockError::WouldBlock) => Ok(Some(true)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_by_who_holds_which_lock() {
        let step = std::env::temp_dir().join(format!("step-liveness-{}", std::process::id()));
        std::fs::create_dir_all(&step).unwrap();
        assert_eq!(liveness(&step).unwrap(), Liveness::NotStarted);
        let supervisor = File::create(step.join(files::SUPERVISOR_PID)).unwrap();
        let child = File::create(step.join(files::ALIVE)).unwrap();
        supervisor.lock().unwrap();
        child.lock().unwrap();
        assert_eq!(liveness(&step).unwrap(), Liveness::Supervised);
        drop(supervisor);
        assert_eq!(liveness(&step).unwrap(), Liveness::Orphaned);
        drop(child);
        assert_eq!(liveness(&step).unwrap(), Liveness::Gone);
        std::fs::remove_dir_all(&step).unwrap();
    }
}
