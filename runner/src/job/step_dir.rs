//! The step directory, opened so that nothing in it can lead outside.
//!
//! What runs in a step may change everything in its directory. The runner has more rights than
//! the step, so it never follows a path there by name alone: every access goes through a directory
//! handle, and only regular files are read.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use serde::de::DeserializeOwned;

/// No JSON file of a supervisor is larger.
const MOST_JSON: u64 = 16 * 1024 * 1024;

/// A handle on a step directory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StepDir {
    path: PathBuf,
    dir: Arc<Dir>,
}

impl StepDir {
    /// Opens a step directory that exists.
    ///
    /// # Errors
    /// The file system's own.
    pub fn open_existing(path: &Path) -> io::Result<Self> {
        let dir = Dir::open_ambient_dir(path, ambient_authority())?;
        Ok(Self {
            path: path.to_owned(),
            dir: Arc::new(dir),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// The file system's own; `InvalidData` for anything but a regular file.
    pub fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
        let file = self
            .dir
            .open_with(path, OpenOptions::new().read(true).custom_flags(flags))?
            .into_std();
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(ErrorKind::InvalidData.into())
        }
    }

    /// Opens a regular file if it is there.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_if_there(&self, path: impl AsRef<Path>) -> io::Result<Option<File>> {
        match self.open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a JSON file of the supervisor; `None` if there is none.
    ///
    /// # Errors
    /// The file system's own; `InvalidData` when it isn't what it should be.
    pub fn read_json<T: DeserializeOwned>(&self, path: impl AsRef<Path>) -> io::Result<Option<T>> {
        let Some(file) = self.open_if_there(path)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.take(MOST_JSON).read_to_end(&mut bytes)?;
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(io::Error::from)
    }

    /// Whether a regular file is there.
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.dir.symlink_metadata(path).is_ok_and(|it| it.is_file())
    }

    /// Makes directories below the step directory.
    ///
    /// # Errors
    /// The file system's own.
    pub fn make_directories(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.dir.create_dir_all(path)
    }

    /// Writes a file, replacing what is there.
    ///
    /// # Errors
    /// The file system's own.
    pub fn write(&self, path: impl AsRef<Path>, bytes: &[u8], mode: u32) -> io::Result<()> {
        let path = path.as_ref();
        match self.dir.remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let options = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .to_owned();
        let mut file = self.dir.open_with(path, &options)?;
        io::Write::write_all(&mut file, bytes)
    }

    /// Gives everything below to this user and group. Links themselves change hands, not what they
    /// point to.
    ///
    /// # Errors
    /// The file system's own.
    pub fn give_to(&self, uid: u32, gid: u32) -> io::Result<()> {
        let owner = Some(rustix::fs::Uid::from_raw(uid));
        let group = Some(rustix::fs::Gid::from_raw(gid));
        give(&self.dir, owner, group)?;
        // The handle may be one that is good for paths only.
        rustix::fs::chownat(
            &*self.dir,
            "",
            owner,
            group,
            rustix::fs::AtFlags::EMPTY_PATH,
        )?;
        Ok(())
    }
}

fn give(
    dir: &Dir,
    owner: Option<rustix::fs::Uid>,
    group: Option<rustix::fs::Gid>,
) -> io::Result<()> {
    for entry in dir.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::chownat(dir, &name, owner, group, flags)?;
        if entry.file_type()?.is_dir() {
            give(&entry.open_dir()?, owner, group)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_is_read() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret.json"), "1").unwrap();
        let inside = tempfile::tempdir().unwrap();
        let step = StepDir::open_existing(inside.path()).unwrap();
        std::os::unix::fs::symlink(outside.path(), inside.path().join("output")).unwrap();
        assert!(step.read_json::<u32>("output/secret.json").is_err());
        assert!(step.open("../x").is_err());
        assert!(step.open("/etc/hostname").is_err());
        assert_eq!(step.read_json::<u32>("exit.json").unwrap(), None);
        step.write("exit.json", b"7", 0o600).unwrap();
        assert_eq!(step.read_json::<u32>("exit.json").unwrap(), Some(7));
    }
}
