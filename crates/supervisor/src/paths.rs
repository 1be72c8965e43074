//! Files in directories that commands can write to.
//!
//! The supervisor may have more rights than the commands it runs. A symbolic link that one of them
//! left at `state/terraform.tfstate` must not make it read another job's state, nor one at
//! `plan.json` make it overwrite a file of the system: every path is walked from the step
//! directory, one component at a time, following no link.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fstat, openat, renameat, unlinkat};
use rustix::io::Errno;

/// A directory that paths are walked from.
#[derive(Debug)]
pub(crate) struct Root {
    directory: OwnedFd,
    path: PathBuf,
}

impl Root {
    /// Opens `path`, which may itself be reached through links.
    ///
    /// # Errors
    /// The file system's own.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let directory = openat(CWD, &path, directory_flags(), Mode::empty())?;
        Ok(Self { directory, path })
    }

    /// Absolute, without links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.path.join(relative)
    }

    /// Opens a regular file for reading; `None` if there is none.
    ///
    /// # Errors
    /// The file system's own; `ELOOP` for a link; `InvalidData` for what is no regular file.
    pub(crate) fn open_file(&self, relative: &Path) -> io::Result<Option<File>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = self
            .parent_of(relative)
            .and_then(|(parent, name)| Ok(openat(&parent, &name, flags, Mode::empty())?));
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "this is no regular file",
            ));
        }
        Ok(Some(File::from(file)))
    }

    /// Reads a whole regular file; `None` if there is none.
    ///
    /// # Errors
    /// As [`Root::open_file`]; `FileTooLarge` past `limit` bytes.
    pub(crate) fn read(&self, relative: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        self.open_file(relative)?
            .map(|file| read_bounded(&file, limit))
            .transpose()
    }

    /// Makes a new, empty file for appending, in place of whatever had the name.
    ///
    /// # Errors
    /// The file system's own.
    pub(crate) fn create(&self, relative: &Path) -> io::Result<File> {
        let (parent, name) = self.parent_of(relative)?;
        create_in(&parent, &name, OFlags::APPEND)
    }

    /// Replaces a file so that a reader sees the old or the new content.
    ///
    /// # Errors
    /// The file system's own; the old file is still there then.
    pub(crate) fn replace(
        &self,
        relative: &Path,
        bytes: &[u8],
        durability: Durability,
    ) -> io::Result<()> {
        let (parent, name) = self.parent_of(relative)?;
        let mut temporary = name.clone();
        temporary.push(".tmp");
        let written = create_in(&parent, &temporary, OFlags::empty()).and_then(|mut file| {
            file.write_all(bytes)?;
            match durability {
                Durability::SurvivesPowerLoss => file.sync_all(),
                Durability::SurvivesUs => Ok(()),
            }
        });
        if let Err(error) = written {
            // Whatever was written of it only takes room that may be what is missing.
            let _ = unlinkat(&parent, &temporary, AtFlags::empty());
            return Err(error);
        }
        renameat(&parent, &temporary, &parent, &name)?;
        match durability {
            Durability::SurvivesPowerLoss => Ok(rustix::fs::fsync(&parent)?),
            Durability::SurvivesUs => Ok(()),
        }
    }

    /// Removes a file; nothing to do if there is none.
    ///
    /// # Errors
    /// The file system's own.
    pub(crate) fn remove(&self, relative: &Path) -> io::Result<()> {
        let (parent, name) = self.parent_of(relative)?;
        match unlinkat(&parent, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn parent_of(&self, relative: &Path) -> io::Result<(OwnedFd, OsString)> {
        let mut names = names_of(relative)?;
        let name = names.pop().ok_or_else(no_path)?;
        let mut parent = openat(&self.directory, ".", directory_flags(), Mode::empty())?;
        for step in names {
            parent = openat(
                &parent,
                &step,
                directory_flags() | OFlags::NOFOLLOW,
                Mode::empty(),
            )?;
        }
        Ok((parent, name))
    }
}

/// How long a written file must last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// On the disk before the call returns.
    SurvivesPowerLoss,
    /// In the kernel's hands.
    SurvivesUs,
}

/// Whether `path` can be walked from a step directory: relative, without `..`, not empty.
pub(crate) fn is_inside(path: &Path) -> bool {
    names_of(path).is_ok_and(|names| !names.is_empty())
}

/// Reads `file` to its end.
///
/// # Errors
/// The file system's own; `FileTooLarge` past `limit` bytes.
pub(crate) fn read_bounded(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes =
        Vec::with_capacity(usize::try_from(file.metadata()?.len().min(limit)).unwrap_or(0));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn create_in(parent: &OwnedFd, name: &OsString, extra: OFlags) -> io::Result<File> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(openat(
        parent,
        name,
        flags | extra,
        Mode::from_raw_mode(0o600),
    )?))
}

fn names_of(path: &Path) -> io::Result<Vec<OsString>> {
    let names = path
        .components()
        .filter(|component| *component != Component::CurDir);
    names
        .map(|component| match component {
            Component::Normal(name) => Ok(name.to_owned()),
            Component::Prefix(_)
            | Component::RootDir
            | Component::CurDir
            | Component::ParentDir => Err(no_path()),
        })
        .collect()
}

fn no_path() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "the path leaves the step directory",
    )
}

fn directory_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_no_link_and_never_leaves() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let inside = tempfile::tempdir().unwrap();
        let root = Root::open(inside.path()).unwrap();
        std::os::unix::fs::symlink(outside.path(), inside.path().join("state")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), inside.path().join("link"))
            .unwrap();

        assert!(root.read(Path::new("state/secret"), 10).is_err());
        assert!(root.read(Path::new("link"), 10).is_err());
        assert!(root.read(Path::new("../x"), 10).is_err());
        assert!(root.read(outside.path(), 10).is_err());
        assert!(root.create(Path::new("state/new")).is_err());

        root.create(Path::new("link"))
            .unwrap()
            .write_all(b"own")
            .unwrap();
        assert_eq!(std::fs::read(outside.path().join("secret")).unwrap(), b"s");
        assert_eq!(root.read(Path::new("./link"), 10).unwrap().unwrap(), b"own");
        assert!(root.read(Path::new("link"), 2).is_err());
        assert_eq!(root.read(Path::new("nowhere/at/all"), 10).unwrap(), None);
    }

    #[test]
    fn replaces_whole() {
        let inside = tempfile::tempdir().unwrap();
        let root = Root::open(inside.path()).unwrap();
        for durability in [Durability::SurvivesPowerLoss, Durability::SurvivesUs] {
            root.replace(Path::new("f"), b"new", durability).unwrap();
            assert_eq!(root.read(Path::new("f"), 10).unwrap().unwrap(), b"new");
        }
        root.remove(Path::new("f")).unwrap();
        root.remove(Path::new("f")).unwrap();
        assert_eq!(std::fs::read_dir(inside.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_pipe_in_place_of_a_file_does_not_hang() {
        let inside = tempfile::tempdir().unwrap();
        let root = Root::open(inside.path()).unwrap();
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(CWD, inside.path().join("p"), FileType::Fifo, mode, 0).unwrap();
        assert!(root.open_file(Path::new("p")).is_err());
    }
}
