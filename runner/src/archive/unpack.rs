//! Unpacks a tar archive from an untrusted source into a directory handle.
//!
//! Refused: absolute names, `..`, links that lead outside (also by way of other links), whatever
//! lies below a link, devices and pipes, and what exceeds the limits. Left out: macOS resource forks
//! and global headers.
//! Nothing is unpacked through a link of the same archive, so that an entry lies where its name says:
//! otherwise a link could be checked in one place and lie in another.
//! Decided against `tar::Archive::unpack`: it works on paths, not on a directory handle, and reads
//! long names without a bound.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt, Permissions, PermissionsExt};
use tar::EntryType;

use super::Compression;
use super::entry::{is_resource_fork, relative, stays_inside};
use super::extension::Extensions;

/// How much an archive may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// All files together, unpacked.
    pub bytes: u64,
    /// Also the most directories that they may need.
    pub entries: u64,
    /// Length of one path, in bytes.
    pub path: usize,
    /// Directories deep.
    pub depth: usize,
}

impl Limits {
    /// For a configuration.
    pub const CONFIGURATION: Self = Self {
        bytes: 2 << 30,
        entries: 200_000,
        path: 4096,
        depth: 128,
    };
    /// For the working tree after a plan, which may hold what the plan made.
    pub const WORKING_TREE: Self = Self {
        bytes: 8 << 30,
        entries: 500_000,
        path: 4096,
        depth: 128,
    };
    /// Names of all symlinks together: they are kept until the end.
    const LINK_NAMES: usize = 32 << 20;
}

/// What was unpacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpacked {
    pub files: u64,
    pub bytes: u64,
}

/// Why an archive was refused. Its names are shown escaped and shortened.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("the archive holds {name}, which can't be unpacked: {problem}")]
    Entry { name: String, problem: &'static str },
    #[error("the archive is too large: {what} exceed the limit of {limit}")]
    TooLarge { what: &'static str, limit: u64 },
    #[error("the archive is damaged or no tar archive")]
    Damaged(#[source] io::Error),
    #[error("{name} could not be written")]
    Write { name: String, source: io::Error },
}

/// Unpacks `archive`, plain or compressed, into `target`.
///
/// # Errors
/// [`UnpackError`]; what was unpacked until then stays in `target`.
pub fn unpack(archive: impl Read, target: &Dir, limits: Limits) -> Result<Unpacked, UnpackError> {
    let mut reader = BufReader::new(archive);
    let start = io::BufRead::fill_buf(&mut reader).map_err(UnpackError::Damaged)?;
    // Headers and padding come on top of the content; ten times the entries covers them all.
    let most = limits
        .bytes
        .saturating_add(limits.entries.saturating_mul(10 * 512));
    match Compression::detect(start) {
        Compression::Gzip => {
            let gzip = flate2::bufread::MultiGzDecoder::new(reader);
            Unpacker::new(target, limits).run(gzip.take(most))
        }
        Compression::Zstd => {
            let mut zstd =
                zstd::stream::Decoder::with_buffer(reader).map_err(UnpackError::Damaged)?;
            zstd.window_log_max(27).map_err(UnpackError::Damaged)?;
            Unpacker::new(target, limits).run(zstd.take(most))
        }
        Compression::None => Unpacker::new(target, limits).run(reader.take(most)),
    }
}

struct Unpacker<'a> {
    target: &'a Dir,
    limits: Limits,
    entries: u64,
    directories: u64,
    done: Unpacked,
    symlinks: BTreeSet<PathBuf>,
    link_names: usize,
    extensions: Extensions,
}

impl<'a> Unpacker<'a> {
    fn new(target: &'a Dir, limits: Limits) -> Self {
        Self {
            target,
            limits,
            entries: 0,
            directories: 0,
            done: Unpacked::default(),
            symlinks: BTreeSet::new(),
            link_names: 0,
            extensions: Extensions::default(),
        }
    }

    fn run<R: Read>(mut self, reader: io::Take<R>) -> Result<Unpacked, UnpackError> {
        let mut archive = tar::Archive::new(reader);
        let entries = archive.entries().map_err(UnpackError::Damaged)?.raw(true);
        for entry in entries {
            self.entry(&mut entry.map_err(UnpackError::Damaged)?)?;
        }
        // A cut between two entries looks like the end.
        if archive.into_inner().limit() == 0 {
            return Err(UnpackError::TooLarge {
                what: "its contents",
                limit: self.limits.bytes,
            });
        }
        self.check_symlinks()?;
        Ok(self.done)
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is not known to be harmless is refused, also what a later tar adds"
    )]
    fn entry<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<(), UnpackError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(UnpackError::TooLarge {
                what: "entries",
                limit: self.limits.entries,
            });
        }
        let kind = entry.header().entry_type();
        if self.extensions.take_in(kind, entry)? {
            return Ok(());
        }
        let (name, link) = self.extensions.names_of(entry);
        let refuse = |problem| UnpackError::Entry {
            name: printable(&name),
            problem,
        };
        if name.len() > self.limits.path || name.contains(&0) {
            return Err(refuse("its name is too long or holds a zero byte"));
        }
        let Some(path) = relative(Path::new(OsStr::from_bytes(&name))).map_err(refuse)? else {
            return Ok(());
        };
        if path.components().count() > self.limits.depth {
            return Err(refuse("it lies too deep"));
        }
        if is_resource_fork(&path) {
            return Ok(());
        }
        if self.lies_below_a_link(&path) {
            return Err(refuse("it lies below a link"));
        }
        match kind {
            EntryType::Directory => self.directory(&path),
            EntryType::Regular | EntryType::Continuous => self.file(&path, entry),
            EntryType::Symlink => {
                let target = link.ok_or_else(|| refuse("it is a link to nowhere"))?;
                if target.contains(&0) || target.is_empty() || target.len() > self.limits.path {
                    return Err(refuse("it is a link with an unusable target"));
                }
                let target = PathBuf::from(OsStr::from_bytes(&target));
                if !stays_inside(&path, &target) {
                    return Err(refuse("it is a link that leads outside"));
                }
                self.symlink(&path, &target)
            }
            EntryType::Link => {
                let target = link.ok_or_else(|| refuse("it is a link to nowhere"))?;
                let target = relative(Path::new(OsStr::from_bytes(&target))).map_err(refuse)?;
                let target = target.ok_or_else(|| refuse("it is a link to a directory"))?;
                if self.lies_below_a_link(&target) {
                    return Err(refuse("it is a link to what lies below a link"));
                }
                self.hard_link(&path, &target)
            }
            _ => Err(refuse("it is neither a file, a directory nor a link")),
        }
    }

    /// Whether a symlink of this archive is among the parents of `path`.
    fn lies_below_a_link(&self, path: &Path) -> bool {
        !self.symlinks.is_empty()
            && path
                .ancestors()
                .skip(1)
                .any(|parent| self.symlinks.contains(parent))
    }

    /// Makes a directory and those above it; each counts, an entry can be deep.
    fn directory(&mut self, path: &Path) -> Result<(), UnpackError> {
        let made = self.target.create_dir(path);
        let made = match (made, path.parent()) {
            (Err(error), Some(parent))
                if error.kind() == io::ErrorKind::NotFound && !parent.as_os_str().is_empty() =>
            {
                self.directory(parent)?;
                self.target.create_dir(path)
            }
            (made, _) => made,
        };
        match made {
            Ok(()) => self.directories += 1,
            Err(_) if self.target.metadata(path).is_ok_and(|it| it.is_dir()) => {}
            Err(source) => return Err(write_error(path, source)),
        }
        if self.directories > self.limits.entries {
            return Err(UnpackError::TooLarge {
                what: "directories",
                limit: self.limits.entries,
            });
        }
        Ok(())
    }

    fn file<R: Read>(
        &mut self,
        path: &Path,
        entry: &mut tar::Entry<'_, R>,
    ) -> Result<(), UnpackError> {
        let size = entry.size();
        if self.done.bytes.saturating_add(size) > self.limits.bytes {
            return Err(UnpackError::TooLarge {
                what: "its files",
                limit: self.limits.bytes,
            });
        }
        let executable = entry.header().mode().unwrap_or(0o644) & 0o111 != 0;
        self.make_room(path)?;
        let mode = if executable { 0o755 } else { 0o644 };
        let mut file = self
            .target
            .open_with(
                path,
                OpenOptions::new().write(true).create_new(true).mode(mode),
            )
            .map_err(|source| write_error(path, source))?;
        // The umask may have taken what the archive gives.
        file.set_permissions(Permissions::from_mode(mode))
            .map_err(|source| write_error(path, source))?;
        let written = io::copy(entry, &mut file).map_err(|source| write_error(path, source))?;
        if written != size {
            return Err(UnpackError::Damaged(io::ErrorKind::UnexpectedEof.into()));
        }
        self.done.files += 1;
        self.done.bytes += written;
        Ok(())
    }

    fn symlink(&mut self, path: &Path, target: &Path) -> Result<(), UnpackError> {
        self.link_names += path.as_os_str().len();
        if self.link_names > Limits::LINK_NAMES {
            return Err(UnpackError::TooLarge {
                what: "the names of its links",
                limit: Limits::LINK_NAMES as u64,
            });
        }
        self.make_room(path)?;
        self.target
            .symlink(target, path)
            .map_err(|source| write_error(path, source))?;
        self.symlinks.insert(path.to_owned());
        Ok(())
    }

    /// A second name of a symlink is one that may lead elsewhere from where it lies.
    fn hard_link(&mut self, path: &Path, target: &Path) -> Result<(), UnpackError> {
        let metadata = self.target.symlink_metadata(target);
        if metadata.is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(UnpackError::Entry {
                name: printable(path.as_os_str().as_bytes()),
                problem: "it is a second name of a link",
            });
        }
        self.make_room(path)?;
        self.target
            .hard_link(target, self.target, path)
            .map_err(|source| write_error(path, source))
    }

    /// Makes the parent directories of `path` and removes a file or link in its place.
    fn make_room(&mut self, path: &Path) -> Result<(), UnpackError> {
        if let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            self.directory(parent)?;
        }
        match self.target.remove_file(path) {
            Ok(()) => {
                self.symlinks.remove(path);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(write_error(path, source)),
        }
    }

    /// Each link must end inside once the others are followed; one that ends nowhere may stay.
    fn check_symlinks(&self) -> Result<(), UnpackError> {
        for link in &self.symlinks {
            match self.target.canonicalize(link) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => {
                    return Err(UnpackError::Entry {
                        name: printable(link.as_os_str().as_bytes()),
                        problem: "it is a link that leads outside or in circles",
                    });
                }
            }
        }
        Ok(())
    }
}

fn write_error(path: &Path, source: io::Error) -> UnpackError {
    UnpackError::Write {
        name: printable(path.as_os_str().as_bytes()),
        source,
    }
}

fn printable(name: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(name).chars().take(200).collect();
    format!("{text:?}")
}

#[cfg(test)]
mod tests;
