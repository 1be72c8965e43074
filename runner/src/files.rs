//! Small helpers for files that must be private, durable, or not a trap.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Writes a file that only the runner may read, durably and whole.
///
/// # Errors
/// The file system's own; the old file then stays.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = directory.join(name);
    remove_if_there(&temporary)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(directory)?.sync_all()
}

/// Makes a directory and those above it; others may pass through it but not look.
///
/// # Errors
/// The file system's own.
pub(crate) fn make_passage(path: &Path) -> io::Result<()> {
    make_directory(path, 0o711)
}

/// Makes a directory with exactly this mode.
///
/// # Errors
/// The file system's own.
pub(crate) fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Copies a program to where every user may start it, whole or not at all. A process that runs the
/// old one keeps it.
///
/// # Errors
/// The file system's own.
pub(crate) fn install_program(from: &Path, to: &Path) -> io::Result<()> {
    let temporary = to.with_extension("new");
    remove_if_there(&temporary)?;
    std::fs::copy(from, &temporary)?;
    std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o755))?;
    std::fs::rename(&temporary, to)
}

/// Removes a file; none is fine.
///
/// # Errors
/// The file system's own.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
