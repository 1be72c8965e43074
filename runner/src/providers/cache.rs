//! The archives on disk, and that they are what they were.
//!
//! `DATA/providers/mirror/` is what steps see. An archive's checksum is kept beside it in
//! `DATA/providers/sums/`, on the disk before the archive gets its name: one without a checksum, or
//! with another, is removed. `DATA/providers/filling/` holds what is not whole yet.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::Package;
use crate::files;

/// What the file system says of an archive that was whole: size, inode, time of change in ns.
type Seen = (u64, u64, i128);

/// The cache of one runner. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ProviderCache {
    root: PathBuf,
    whole: Arc<Mutex<HashMap<PathBuf, Seen>>>,
}

impl ProviderCache {
    /// Opens the cache of a data directory, throws away what was being filled, and checks every
    /// archive.
    ///
    /// # Errors
    /// The file system's own.
    pub fn open(data: &Path) -> io::Result<Self> {
        let it = Self {
            root: data.join("providers"),
            whole: Arc::default(),
        };
        files::make_passage(&it.root)?;
        files::make_directory(&it.mirror(), 0o755)?;
        files::make_directory(&it.root.join("sums"), 0o700)?;
        let filling = it.root.join("filling");
        if filling.exists() {
            std::fs::remove_dir_all(&filling)?;
        }
        files::make_directory(&filling, 0o700)?;
        it.check();
        Ok(it)
    }

    /// The directory that steps may read.
    pub fn mirror(&self) -> PathBuf {
        self.root.join("mirror")
    }

    /// Looks at every archive: one that has been changed since it was last seen whole is compared
    /// with its checksum, and removed if it differs.
    pub fn check(&self) {
        let mut archives = Vec::new();
        archives_below(&self.mirror(), Path::new(""), &mut archives);
        for path in archives {
            match self.is_whole(&path) {
                Ok(true) => {}
                found => {
                    tracing::warn!(
                        archive = %path.display(), ?found,
                        "a cached provider is not what it was; it is removed"
                    );
                    let _ = std::fs::remove_file(self.mirror().join(&path));
                    self.whole.lock().remove(&path);
                }
            }
        }
    }

    fn is_whole(&self, path: &Path) -> io::Result<bool> {
        let file = File::open(self.mirror().join(path))?;
        let seen = seen(&file)?;
        if self.whole.lock().get(path) == Some(&seen) {
            return Ok(true);
        }
        let expected = std::fs::read_to_string(self.sum_of(path))?;
        let whole = hash(file)? == expected.trim();
        if whole {
            self.whole.lock().insert(path.to_owned(), seen);
        }
        Ok(whole)
    }

    /// Whether a package is there.
    pub fn has(&self, package: &Package) -> bool {
        self.mirror().join(package.path()).is_file()
    }

    /// An empty file to fill; it has no name that anyone looks for.
    ///
    /// # Errors
    /// The file system's own.
    pub fn begin(&self) -> io::Result<tempfile::NamedTempFile> {
        tempfile::NamedTempFile::new_in(self.root.join("filling"))
    }

    /// Puts a whole archive in its place. `sha256` is its verified checksum, in hex.
    ///
    /// # Errors
    /// The file system's own; nothing is in the place then, or what was before.
    pub fn finish(
        &self,
        package: &Package,
        filled: tempfile::NamedTempFile,
        sha256: &str,
    ) -> io::Result<()> {
        let path = package.path();
        let (place, sum) = (self.mirror().join(&path), self.sum_of(&path));
        for (file, mode) in [(&place, 0o755), (&sum, 0o700)] {
            files::make_directory(file.parent().unwrap_or(&self.root), mode)?;
        }
        files::write_private(&sum, sha256.as_bytes())?;
        let file = filled.as_file();
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.sync_all()?;
        let seen = seen(file)?;
        filled.persist(&place).map_err(|error| error.error)?;
        File::open(place.parent().unwrap_or(&self.root))?.sync_all()?;
        self.whole.lock().insert(path, seen);
        Ok(())
    }

    fn sum_of(&self, path: &Path) -> PathBuf {
        let mut name = self.root.join("sums").join(path).into_os_string();
        name.push(".sha256");
        PathBuf::from(name)
    }

    /// Bytes in the archives.
    pub fn size(&self) -> u64 {
        let mut archives = Vec::new();
        archives_below(&self.mirror(), Path::new(""), &mut archives);
        let sizes = archives
            .iter()
            .filter_map(|path| self.mirror().join(path).metadata().ok());
        sizes.map(|it| it.len()).sum()
    }
}

fn seen(file: &File) -> io::Result<Seen> {
    let meta = file.metadata()?;
    let changed = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
    Ok((meta.len(), meta.ino(), changed))
}

fn hash(mut file: File) -> io::Result<String> {
    let mut hasher = HashWriter(Sha256::new());
    io::copy(&mut file, &mut hasher)?;
    Ok(hex::encode(hasher.0.finalize()))
}

struct HashWriter(Sha256);

impl io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn archives_below(root: &Path, below: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(root.join(below)) else {
        return;
    };
    for entry in entries.flatten() {
        let path = below.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => archives_below(root, &path, found),
            Ok(_) | Err(_) => found.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn package(version: &str) -> Package {
        Package::new("registry.example", "n", "tiny", version).unwrap()
    }

    fn add(cache: &ProviderCache, version: &str, content: &[u8]) -> PathBuf {
        let mut file = cache.begin().unwrap();
        file.write_all(content).unwrap();
        let sum = hex::encode(Sha256::digest(content));
        cache.finish(&package(version), file, &sum).unwrap();
        cache.mirror().join(package(version).path())
    }

    #[test]
    fn a_garbled_archive_is_removed_at_once_and_after_a_restart() {
        let data = tempfile::tempdir().unwrap();
        let cache = ProviderCache::open(data.path()).unwrap();
        let (one, two) = (add(&cache, "1.0.0", b"one"), add(&cache, "2.0.0", b"two"));
        cache.check();
        assert!(one.is_file() && two.is_file());
        std::fs::write(&one, b"ten").unwrap();
        cache.check();
        assert!(!one.exists() && two.is_file());
        assert!(!cache.has(&package("1.0.0")) && cache.has(&package("2.0.0")));
        std::fs::write(&two, b"").unwrap();
        let again = ProviderCache::open(data.path()).unwrap();
        assert!(!again.has(&package("2.0.0")));
    }

    #[test]
    fn what_was_being_filled_or_has_no_checksum_is_not_there_after_a_power_cut() {
        let data = tempfile::tempdir().unwrap();
        let cache = ProviderCache::open(data.path()).unwrap();
        let place = add(&cache, "1.0.0", b"one");
        let half = cache.begin().unwrap().into_temp_path();
        std::fs::write(&half, b"hal").unwrap();
        let stray = place.with_file_name("terraform-provider-tiny_3.0.0_linux_amd64.zip");
        std::fs::write(&stray, b"three").unwrap();
        let left = half.keep().unwrap();
        let again = ProviderCache::open(data.path()).unwrap();
        assert!(!left.exists() && !stray.exists());
        assert!(again.has(&package("1.0.0")));
        assert_eq!(again.size(), 3);
    }
}
