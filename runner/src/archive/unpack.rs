//! Unpacks a tar archive from an untrusted source into a directory handle.
//!
//! Refused: absolute names, `..`, links that lead outside (also by way of other links), devices and
//! pipes, and whatever exceeds the limits. Left out: macOS resource forks and global headers.
//! Decided against `tar::Archive::unpack`: it works on paths, not on a directory handle, and reads
//! long names without a bound.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt, Permissions, PermissionsExt};
use tar::EntryType;

use super::Compression;
use super::entry::{is_resource_fork, relative, stays_inside};

/// How much an archive may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// All files together, unpacked.
    pub bytes: u64,
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
    /// Headers of long names and extended attributes.
    const EXTENSION: u64 = 1 << 20;
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
    done: Unpacked,
    symlinks: Vec<PathBuf>,
    /// From extension headers, for the next entry.
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl<'a> Unpacker<'a> {
    fn new(target: &'a Dir, limits: Limits) -> Self {
        Self {
            target,
            limits,
            entries: 0,
            done: Unpacked::default(),
            symlinks: Vec::new(),
            long_name: None,
            long_link: None,
        }
    }

    fn run(mut self, reader: impl Read) -> Result<Unpacked, UnpackError> {
        let mut archive = tar::Archive::new(reader);
        let entries = archive.entries().map_err(UnpackError::Damaged)?.raw(true);
        for entry in entries {
            self.entry(&mut entry.map_err(UnpackError::Damaged)?)?;
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
        if self.extension(kind, entry)? {
            return Ok(());
        }
        let name = self
            .long_name
            .take()
            .unwrap_or_else(|| entry.path_bytes().into_owned());
        let link = self
            .long_link
            .take()
            .or_else(|| entry.link_name_bytes().map(Into::into));
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
                self.hard_link(&path, &target)
            }
            _ => Err(refuse("it is neither a file, a directory nor a link")),
        }
    }

    /// Takes headers that describe the next entry; whether this was one.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only extension headers are meant here"
    )]
    fn extension<R: Read>(
        &mut self,
        kind: EntryType,
        entry: &mut tar::Entry<'_, R>,
    ) -> Result<bool, UnpackError> {
        match kind {
            EntryType::GNULongName => {
                self.long_name = Some(without_zeros(bounded(entry)?));
            }
            EntryType::GNULongLink => {
                self.long_link = Some(without_zeros(bounded(entry)?));
            }
            EntryType::XHeader => {
                let mut records = pax_records(&bounded(entry)?);
                if let Some(path) = records.remove(b"path".as_slice()) {
                    self.long_name = Some(path);
                }
                if let Some(link) = records.remove(b"linkpath".as_slice()) {
                    self.long_link = Some(link);
                }
                if records.contains_key(b"size".as_slice()) {
                    let limit = self.limits.bytes;
                    return Err(UnpackError::TooLarge {
                        what: "single files",
                        limit,
                    });
                }
            }
            EntryType::XGlobalHeader => {
                bounded(entry)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn directory(&self, path: &Path) -> Result<(), UnpackError> {
        self.target
            .create_dir_all(path)
            .map_err(|source| write_error(path, source))
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
        self.make_room(path)?;
        self.target
            .symlink(target, path)
            .map_err(|source| write_error(path, source))?;
        self.symlinks.push(path.to_owned());
        Ok(())
    }

    fn hard_link(&self, path: &Path, target: &Path) -> Result<(), UnpackError> {
        self.make_room(path)?;
        self.target
            .hard_link(target, self.target, path)
            .map_err(|source| write_error(path, source))
    }

    /// Makes the parent directories of `path` and removes a file or link in its place.
    fn make_room(&self, path: &Path) -> Result<(), UnpackError> {
        if let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            self.directory(parent)?;
        }
        match self.target.remove_file(path) {
            Ok(()) => Ok(()),
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

fn bounded<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Vec<u8>, UnpackError> {
    if entry.size() > Limits::EXTENSION {
        return Err(UnpackError::TooLarge {
            what: "its headers",
            limit: Limits::EXTENSION,
        });
    }
    let mut content = Vec::new();
    entry
        .read_to_end(&mut content)
        .map_err(UnpackError::Damaged)?;
    Ok(content)
}

fn without_zeros(mut content: Vec<u8>) -> Vec<u8> {
    if let Some(end) = content.iter().position(|byte| *byte == 0) {
        content.truncate(end);
    }
    content
}

/// `LENGTH KEY=VALUE\n` records; stops at the first broken one, as its length is unknown.
fn pax_records(mut content: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut records = BTreeMap::new();
    while let Some((key, value, rest)) = pax_record(content) {
        records.insert(key.to_vec(), value.to_vec());
        content = rest;
    }
    records
}

fn pax_record(content: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = content.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&content[..space]).ok()?.parse().ok()?;
    let record = content.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], &content[length..]))
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
