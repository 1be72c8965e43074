//! One runner per data directory, and how another process asks it to finish.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LOCK: &str = "runner.lock";
const WISH: &str = "drain";
/// How often a running runner looks for the wish.
const LOOK: Duration = Duration::from_millis(500);

/// Held while a runner works on a data directory.
#[derive(Debug)]
pub(crate) struct Occupied {
    _lock: File,
}

/// Takes the data directory.
///
/// # Errors
/// `AlreadyExists` when another runner works on it; else the file system's own.
pub(crate) fn occupy(data: &Path) -> io::Result<Occupied> {
    let lock = File::create(data.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => Ok(Occupied { _lock: lock }),
        Err(std::fs::TryLockError::WouldBlock) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Waits until somebody wishes that the runner of `data` finishes.
pub(crate) async fn wished(data: PathBuf) {
    let wish = data.join(WISH);
    // A wish from before this process was for another one.
    let _ = crate::files::remove_if_there(&wish);
    while !wish.exists() {
        tokio::time::sleep(LOOK).await;
    }
}

/// Asks the runner of `data` to finish and waits until it has; whether there was one.
///
/// # Errors
/// The file system's own.
pub(crate) async fn drain(data: &Path) -> io::Result<bool> {
    if occupy(data).is_ok() {
        return Ok(false);
    }
    std::fs::write(data.join(WISH), b"")?;
    loop {
        match occupy(data) {
            Ok(_occupied) => {
                crate::files::remove_if_there(&data.join(WISH))?;
                return Ok(true);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                tokio::time::sleep(LOOK).await;
            }
            Err(error) => return Err(error),
        }
    }
}
