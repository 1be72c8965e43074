//! Files that only their owner may read: keys, tokens, passwords.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Puts a file into place whole, with mode 0600: it is never there half, and a reader of the old
/// one isn't disturbed.
///
/// # Errors
/// The file system's own.
pub(super) fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let scratch = path.with_extension("new");
    // An earlier one of a process that died may have another mode.
    match fs::remove_file(&scratch) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&scratch)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&scratch, path)?;
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Makes a directory and its parents, for the owner only.
///
/// # Errors
/// The file system's own.
pub(super) fn directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Makes a directory that others can pass through, but not list: jobs run under another user, in
/// directories below.
///
/// # Errors
/// The file system's own.
pub(super) fn passable_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(path)
}

/// Makes an empty file if there is none, for the owner only.
///
/// # Errors
/// The file system's own.
pub(super) fn touch(path: &Path) -> io::Result<()> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}

/// The text of a file without the white space around it; `None` if there is no such file.
///
/// # Errors
/// The file system's own.
pub(super) fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        assert_eq!(read(&path).unwrap(), None);
        fs::write(path.with_extension("new"), "left over").unwrap();

        write(&path, b"one\n").unwrap();
        write(&path, b"two\n").unwrap();

        assert_eq!(read(&path).unwrap().as_deref(), Some("two"));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
