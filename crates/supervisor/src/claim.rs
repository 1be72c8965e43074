//! A step is begun once. Whoever finds that it was begun before leaves it alone: an apply is never
//! silently repeated, not even when a container engine starts its container again.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown, lchown};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, openat};
use step::{Sandbox, files};

use crate::paths::Root;
use crate::{processes, sandbox};

/// How long to wait for a lock that someone looks at.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("this step has been begun before and is not begun again")]
    BegunBefore,
    #[error("the step directory can't be used")]
    Directory(#[from] io::Error),
}

/// This process owns the step as long as it holds this.
#[derive(Debug)]
pub(crate) struct Claim {
    _supervisor: File,
    _alive: File,
}

impl Claim {
    /// Takes the step. The second lock goes on to everything that is started.
    ///
    /// # Errors
    /// See [`Error`].
    pub(crate) fn take(root: &Root) -> Result<Self, Error> {
        let begun = root.join(files::SUPERVISOR_PID);
        if begun.exists() {
            return Err(Error::BegunBefore);
        }
        let alive = inherited_lock(&root.join(files::ALIVE))?;
        // It gets its name when it is locked: whoever finds it unlocked takes us for dead.
        let nameless = root.join(format!("{}.tmp", files::SUPERVISOR_PID));
        let mut supervisor = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&nameless)?;
        lock(&supervisor)?;
        let myself = processes::myself()?;
        write!(supervisor, "{} {}", myself.pid, myself.started)?;
        supervisor.sync_all()?;
        match std::fs::hard_link(&nameless, &begun) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::BegunBefore);
            }
            Err(error) => return Err(error.into()),
        }
        std::fs::remove_file(&nameless)?;
        File::open(root.path())?.sync_all()?;
        Ok(Self {
            _supervisor: supervisor,
            _alive: alive,
        })
    }
}

/// Makes the directories that are missing, keeps what is secret to this user, and gives the job's
/// user what is for the commands.
///
/// # Errors
/// The file system's own.
pub(crate) fn arrange(root: &Root, sandbox: &Sandbox) -> io::Result<()> {
    for name in step::files::SUPERVISOR_ONLY {
        let directory = root.join(name);
        std::fs::create_dir_all(&directory)?;
        restrict(&directory, 0o700)?;
    }
    restrict(&root.join(files::SPEC), 0o600)?;
    let Some(uid) = sandbox.uid else {
        return Ok(());
    };
    for directory in sandbox::writable_directories(root.path())? {
        give(&directory, uid, sandbox.gid)?;
    }
    // The job's group may pass through, and no one else.
    let mode = if sandbox.gid.is_some() { 0o710 } else { 0o711 };
    chown(root.path(), None, sandbox.gid)?;
    std::fs::set_permissions(root.path(), PermissionsExt::from_mode(mode))
}

/// Leaves what belongs to the runner, in a container, as the runner made it.
fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    if path.metadata()?.uid() != rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode))
}

/// Follows no link.
fn give(path: &Path, uid: u32, gid: Option<u32>) -> io::Result<()> {
    lchown(path, Some(uid), gid)?;
    if !path.symlink_metadata()?.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        give(&entry?.path(), uid, gid)?;
    }
    Ok(())
}

/// Opened without close-on-exec, read-only.
fn inherited_lock(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::NOFOLLOW;
    let file = File::from(openat(CWD, path, flags, Mode::from_raw_mode(0o600))?);
    lock(&file)?;
    Ok(file)
}

/// Someone who asks whether we are alive holds a lock for a moment.
fn lock(file: &File) -> io::Result<()> {
    let since = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if since.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_begun_once() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let claim = Claim::take(&root).unwrap();
        assert!(matches!(Claim::take(&root), Err(Error::BegunBefore)));
        assert_eq!(
            step::liveness(root.path()).unwrap(),
            step::Liveness::Supervised
        );
        drop(claim);
        assert!(matches!(Claim::take(&root), Err(Error::BegunBefore)));
        assert_eq!(step::liveness(root.path()).unwrap(), step::Liveness::Gone);
    }
}
